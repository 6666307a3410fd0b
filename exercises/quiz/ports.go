package quiz

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// portsTopic asks who reaches which program, under which name and at which port.
type portsTopic struct{}

func (portsTopic) Topic() string { return "ports" }

func (portsTopic) Make(r *rand.Rand, difficulty int) Plan {
	return pick(r, []func(*rand.Rand, int) Plan{howManyPublished, whichEnd, whoAnswers, whoAnswers})(r, difficulty)
}

// howManyPublished asks how many ports of a container the machine leads to.
func howManyPublished(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 1), &draft{}
	ports := []int{3000 + r.IntN(1000), 4000 + r.IntN(1000), 5000 + r.IntN(1000)}
	exposed := 1 + r.IntN(2)
	lines := []string{"FROM learn/base"}
	for _, p := range ports[:exposed] {
		lines = append(lines, fmt.Sprintf("EXPOSE %d", p))
	}
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", append(lines, `CMD ["sleep", "1000"]`)...)
	d.say("Then:")
	other := ports[2]
	d.run("run -d --name %s %sapp", w[0], pick(r, []string{"", "-P ", fmt.Sprintf("-p %d ", ports[0]), fmt.Sprintf("-p %d ", other), fmt.Sprintf("-P -p %d ", other)}))
	d.asks(numberIf(difficulty >= 3), "To how many of the container's ports does a port of the machine lead?")
	d.choice(strconv.Itoa(exposed), "M-EXPOSE-PUBLISHES")
	d.choice(strconv.Itoa(exposed+1), "M-EXPOSE-PUBLISHES")
	d.choice("1", "M-EXPOSE-NEEDED")
	d.choice("0", "M-EXPOSE-NEEDED")
	d.choice("2", "M-EXPOSE-PUBLISHES")
	return d.done(func(ran Ran) (Finding, error) {
		inside := map[string]bool{} // there may be one event for each family of addresses
		proof := lastly(vocab.NetPublish)(ran)
		for _, e := range proof {
			_, port, err := net.SplitHostPort(e.Attr("to").Str())
			if err != nil {
				return Finding{}, fmt.Errorf("read the published port: %w", err)
			}
			inside[port] = true
		}
		if len(proof) == 0 {
			proof = lastly(vocab.ContainerState)(ran)
		}
		return one(strconv.Itoa(len(inside)), proof), nil
	})
}

// whichEnd asks where a published port is, and where it leads.
func whichEnd(r *rand.Rand, _ int) Plan {
	w, d := words(r, 1), &draft{}
	host, inside := 20000+r.IntN(9000), 3000+r.IntN(5000)
	address := pick(r, []string{"", "127.0.0.1:"})
	d.run("run -d --name %s -p %s%d:%d learn/base sleep 1000", w[0], address, host, inside)
	const everywhere, here = "at every address of the machine", "at 127.0.0.1, for programs of this machine"
	text := func(outer, inner int, where string) string {
		return fmt.Sprintf("port %d of the machine, %s, to port %d of the container", outer, where, inner)
	}
	d.asks(ByChoice, "What leads to what?")
	d.choice(text(host, inside, everywhere), "M-PUBLISH-EVERYWHERE")
	d.choice(text(host, inside, here), "M-PUBLISH-LOCAL")
	d.choice(text(inside, host, everywhere), "M-PORTS-SWAPPED")
	d.choice(text(inside, host, here), "M-PORTS-SWAPPED")
	return d.done(func(ran Ran) (Finding, error) {
		proof := lastly(vocab.NetPublish)(ran)
		if len(proof) == 0 {
			return Finding{}, fmt.Errorf("the trace has no published port")
		}
		at, outer, err := net.SplitHostPort(proof[0].Attr("host").Str())
		if err != nil {
			return Finding{}, fmt.Errorf("read the published port: %w", err)
		}
		where := everywhere
		if at == "127.0.0.1" {
			where = here
		}
		inner := proof[0].Attr("to").Str()
		return one(fmt.Sprintf("port %s of the machine, %s, to port %s of the container", outer, where, inner[strings.LastIndexByte(inner, ':')+1:]), proof), nil
	})
}

// call is how somebody asks a server, and why people get the answer wrong.
type call struct {
	network string // of the one who asks; empty is the default one
	inside  bool   // the second server's container asks
	host    string
	port    int
	belief  string // of whoever thinks that the first server answers, or that it doesn't
}

// server is one of two containers, each with a page of its own.
type server struct{ name, page, listen, publish string }

// whoAnswers asks which of two servers gives its page.
func whoAnswers(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 6), &draft{}
	inside, outside := 8000+r.IntN(900), 20000+r.IntN(9000)
	first, second := server{w[0], w[2], strconv.Itoa(inside), ""}, server{w[1], w[3], strconv.Itoa(inside), ""}
	network := w[4]
	calls := []call{
		{network, false, first.name, inside, "M-PUBLISH-BETWEEN"},
		{network, true, "localhost", inside, "M-LOCALHOST-SHARED"},
		{network, false, "localhost", inside, "M-LOCALHOST-SHARED"},
		{"", false, first.name, inside, "M-NAMES-EVERYWHERE"},
		{w[5], false, first.name, inside, "M-NETWORKS-JOINED"},
		{network, false, first.name, outside, "M-PUBLISHED-INSIDE"},
		{network, false, first.name, inside, "M-LISTEN-LOCALHOST"},
	}
	c := calls[r.IntN(min(len(calls), 3+difficulty))]
	switch c.belief {
	case "M-PUBLISHED-INSIDE":
		first.publish = fmt.Sprintf("-p 127.0.0.1:%d:%d ", outside, inside)
	case "M-LISTEN-LOCALHOST":
		first.listen = "127.0.0.1:" + first.listen
	}
	d.say("The image site has a server and no EXPOSE. Each container has a page of its own.")
	d.image("site", "FROM learn/base", "RUN mkdir /www")
	d.run("network create %s", network)
	if c.network != network && c.network != "" {
		d.run("network create %s", c.network)
	}
	d.serves(first, network, inside)
	d.serves(second, network, inside)
	d.asksFor(c, second.name)
	const none = "nobody: there is an error"
	d.asks(ByChoice, "Who answers?")
	d.choice(first.text(), c.belief)
	d.choice(second.text(), c.belief)
	d.choice(none, c.belief)
	return d.done(func(ran Ran) (Finding, error) {
		proof := lastly(vocab.NetLookup, vocab.NetRefused, vocab.ProcExec, vocab.ContainerExec, vocab.NetworkLease, vocab.LoopbackUp)(ran)
		return pageOf(ran, []server{first, second}, none, proof)
	})
}

func (s server) text() string { return s.name + ", with " + s.page }

// serves starts a server and, without showing that, waits until it answers.
func (d *draft) serves(s server, network string, port int) {
	d.run("run -d --name %s --network %s %ssite sh -c 'echo %s > /www/index.html; httpd -f -p %s -h /www'", s.name, network, s.publish, s.page, s.listen)
	d.step("docker", "exec", s.name, "sh", "-c", fmt.Sprintf("until wget -q -O - http://127.0.0.1:%d/ 2>/dev/null; do sleep 0.1; done", port))
}

// asksFor lets somebody ask. A name that no container has is not asked for outside: --dns names a server that isn't there.
func (d *draft) asksFor(c call, inside string) {
	if c.inside {
		d.tries("exec %s wget -q -T 2 -O - http://%s:%d/", inside, c.host, c.port)
		return
	}
	network := ""
	if c.network != "" {
		network = "--network " + c.network + " "
	}
	d.tries("run --rm --dns 127.0.0.1 %slearn/base wget -q -T 2 -O - http://%s:%d/", network, c.host, c.port)
}

func pageOf(ran Ran, servers []server, none string, proof []trace.Event) (Finding, error) {
	said := strings.Fields(ran.Out) // a warning about --dns comes first
	if ran.Code != 0 || len(said) == 0 {
		return one(none, proof), nil
	}
	page := said[len(said)-1]
	for _, s := range servers {
		if s.page == page {
			return one(s.text(), proof), nil
		}
	}
	return Finding{}, fmt.Errorf("nobody has the page %q", page)
}
