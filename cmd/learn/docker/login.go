package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/credentials"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

type loginFlags struct {
	username, password string
	stdin              bool
}

func (app *App) loginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:   "login [OPTIONS] [SERVER]",
		Short: "Authenticate to a registry",
		Long:  "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.password != "" {
				fmt.Fprintln(app.Err, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
			}
			if err := app.passwordFromInput(&f); err != nil {
				return err
			}
			return app.login(cmd.Context(), serverOf(args), f)
		},
	}
	cmd.Flags().StringVarP(&f.username, "username", "u", "", "Username")
	cmd.Flags().StringVarP(&f.password, "password", "p", "", "Password or Personal Access Token (PAT)")
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "Take the Password or Personal Access Token (PAT) from stdin")
	return cmd
}

func serverOf(args []string) string {
	if len(args) == 0 {
		return credentials.HubServer
	}
	return credentials.Server(args[0])
}

const maxPassword = 64 << 10

func (app *App) passwordFromInput(f *loginFlags) error {
	switch {
	case !f.stdin:
		return nil
	case f.password != "":
		return plainly("conflicting options: cannot specify both --password and --password-stdin")
	case f.username == "":
		return plainly("the --password-stdin option requires --username to be set")
	}
	data, err := io.ReadAll(io.LimitReader(app.In, maxPassword+1))
	if err == nil && len(data) > maxPassword {
		err = fmt.Errorf("more than %d bytes", maxPassword)
	}
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	f.password = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	return nil
}

// plainly is an error that docker's client prints as it is.
func plainly(format string, args ...any) error {
	return &exitError{code: 1, err: &saidError{fmt.Sprintf(format, args...)}}
}

// saidError is a sentence that is printed without a prefix.
type saidError struct{ msg string }

func (e *saidError) Error() string { return e.msg }

// login finds out who, asks the registry, and keeps the answer. Credentials that are kept already are tried if nobody is named.
func (app *App) login(ctx context.Context, server string, f loginFlags) error {
	config, err := app.credentials()
	if err != nil {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	client := e.Images.Client()
	kept, err := config.Get(ctx, server)
	if err != nil {
		return err
	}
	if f.username == "" && f.password == "" && !kept.IsZero() {
		done, err := app.loginAsBefore(ctx, client, server, kept)
		if done {
			return err
		}
	}
	cred := credentials.Credential{Username: f.username, Password: f.password}
	if err := app.ask(ctx, &cred, kept.Username); err != nil {
		return err
	}
	if err := client.Login(ctx, server, cred); err != nil {
		return loginRefused(err)
	}
	plain, err := config.Put(ctx, server, cred)
	if err != nil {
		return err
	}
	if plain {
		fmt.Fprintf(app.Err, "\nWARNING! Your credentials are stored unencrypted in '%s'.\nConfigure a credential helper to remove this warning. See\n"+
			"https://docs.docker.com/go/credential-store/\n\n", config.Path())
	}
	fmt.Fprintln(app.Out, "Login Succeeded")
	return nil
}

func loginRefused(err error) error {
	hint := ""
	if errors.Is(err, registry.ErrDenied) {
		hint = "\nWhat to do: check the user name and the password, or token, for this very registry."
	}
	return plainly("Error response from daemon: %s%s", format.Clean(err.Error()), hint)
}

// credentials is docker's config of the user.
func (app *App) credentials() (*credentials.Config, error) {
	dir := ""
	if app.Environ != nil {
		dir, _ = app.Environ("DOCKER_CONFIG")
	}
	return credentials.Open(dir)
}

// loginAsBefore tries what is kept; done tells that nobody need be asked.
func (app *App) loginAsBefore(ctx context.Context, client *registry.Client, server string, kept credentials.Credential) (done bool, err error) {
	who := ""
	if kept.Username != "" {
		who = " [Username: " + format.Clean(kept.Username) + "]"
	}
	fmt.Fprintf(app.Out, "Authenticating with existing credentials...%s\n", who)
	fmt.Fprint(app.Err, "\n Info -> To login with a different account, run 'docker logout' followed by 'docker login'\n")
	fmt.Fprint(app.Out, "\n\n")
	err = client.Login(ctx, server, kept)
	switch {
	case err == nil:
		fmt.Fprintln(app.Out, "Login Succeeded")
		return true, nil
	case errors.Is(err, registry.ErrDenied):
		fmt.Fprintln(app.Err, "Stored credentials invalid or expired")
	default:
		fmt.Fprintln(app.Err, "Login did not succeed, error:", format.Clean(err.Error()))
	}
	return false, nil
}

// ask asks for what cred lacks, on a terminal.
func (app *App) ask(ctx context.Context, cred *credentials.Credential, usual string) error {
	if cred.Username != "" && cred.Password != "" {
		return nil
	}
	terminal, ok := app.In.(*os.File)
	if !ok || !isTerminal(terminal) {
		return plainly("Error: Cannot perform an interactive login from a non TTY device")
	}
	if cred.Username == "" {
		prompt := "Username: "
		if usual != "" {
			prompt = fmt.Sprintf("Username (%s): ", format.Clean(usual))
		}
		fmt.Fprint(app.Out, prompt)
		name, err := answer(ctx, terminal, func() (string, error) { return readLine(terminal) })
		if err != nil {
			return err
		}
		if cred.Username = strings.TrimSpace(name); cred.Username == "" {
			cred.Username = usual
		}
	}
	if cred.Username == "" {
		return plainly("Error: Non-null Username Required")
	}
	if cred.Password == "" {
		fmt.Fprint(app.Out, "Password: ")
		secret, err := answer(ctx, terminal, func() (string, error) {
			data, err := term.ReadPassword(int(terminal.Fd()))
			return string(data), err
		})
		fmt.Fprintln(app.Out)
		if err != nil {
			return err
		}
		cred.Password = secret
	}
	if cred.Password == "" {
		return plainly("Error: Password Required")
	}
	return nil
}

// answer reads what is typed, and leaves the terminal as it was also when the user gives up. Nothing can end a read of a terminal: then its
// goroutine stays until the process ends, which is at once.
func answer(ctx context.Context, terminal *os.File, read func() (string, error)) (string, error) {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := read()
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(int(terminal.Fd()), state))
	}
}

// readLine takes a line and nothing of the next one.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < maxPassword {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' || err == io.EOF && len(line) > 0 {
			break
		}
		if err != nil {
			return "", err
		}
		line = append(line, b[:n]...)
	}
	return string(line), nil
}

func (app *App) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout [SERVER]",
		Short: "Log out from a registry",
		Long:  "Log out from a registry.\nIf no server is specified, the default is Docker Hub.",
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			server := serverOf(args)
			config, err := app.credentials()
			if err != nil {
				return err
			}
			fmt.Fprintf(app.Out, "Removing login credentials for %s\n", server)
			if err := config.Erase(cmd.Context(), server); err != nil {
				fmt.Fprintf(app.Err, "WARNING: could not erase credentials:\n%s: %s\n", server, format.Clean(err.Error()))
			}
			return nil
		},
	}
}
