package userland

import "context"

// runSetsid is setsid: the leader of a group, which can't leave it, starts a process for that and waits only if told to.
func runSetsid(t *task, args []string) int {
	o, ok := t.options(args, "+cfw", "ctty=c fork=f wait=w")
	if !ok || len(o.args) == 0 {
		return t.usage("[-cfw] COMMAND [ARG]...")
	}
	if t.Starter == nil {
		return t.command(o.args)
	}
	if s, able := t.Starter.(Sessions); able && !o.has('c') && !o.has('f') && s.NewSession() == nil {
		return t.replaceOr(o.args)
	}
	file, err := t.lookPath(o.args[0])
	if err != nil {
		return t.cannotRun(o.args[0], err)
	}
	c := t.commandFor(file, o.args)
	c.Group = Group{Session: true, Foreground: o.has('c')}
	child, err := t.startFile(context.WithoutCancel(t.ctx), c)
	if err != nil {
		return t.cannotRun(o.args[0], err)
	}
	if !o.has('w') {
		return 0
	}
	code, err := child.Wait()
	if err != nil {
		return t.fail(o.args[0], err)
	}
	return code
}
