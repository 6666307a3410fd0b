#!/usr/bin/env python3
"""bench/learner.py PROGRAM [ROUNDS]: how long a learner waits, on a terminal of its own.

Measured are, on each driver: `learn` to its first prompt, in a new home and in one where the lesson was begun before; and `b` after four steps of
the lesson on layers, until the step's prompt is there again with everything restored. Beside them stands the floor: `PROGRAM version` on the same
terminal. Medians of ROUNDS (9), in milliseconds."""
import os, pty, re, select, shutil, statistics, sys, tempfile, time

program, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 9


class Terminal:
    def __init__(self, env, *argv):
        self.text = b""
        self.begun = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(program, ["learn", *argv], dict(os.environ, **env))

    def until(self, pattern, patience=60):
        """Reads until pattern is there, and forgets what is before it."""
        limit = time.monotonic() + patience
        while not (found := re.search(pattern, self.text)):
            if not select.select([self.fd], [], [], max(0, limit - time.monotonic()))[0]:
                sys.exit(f"nothing like {pattern} in {self.text.decode(errors='replace')}")
            try:
                self.text += os.read(self.fd, 65536)
            except OSError:  # the terminal's other side is closed
                break
        self.text = self.text[found.end():] if found else b""

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def ms(since):
    return (time.monotonic() - since) * 1000


def floor(env):
    t = Terminal(env, "version")
    t.until(rb"learn ")
    took = ms(t.begun)
    t.end()
    return took


def first_prompt(env):
    t = Terminal(env)
    t.until(rb"Enter runs it")
    took = ms(t.begun)
    t.type("q\n")
    t.end()
    return took


def back(env):
    t = Terminal(env, "play", "layers")
    done = 0
    while done < 4:
        t.until(rb"(?s)Enter runs it|Your (answer|choice)[^\n]*>|> $")
        t.type("\n")
        time.sleep(0.05)
        done += 1
    t.until(rb"Enter runs it|> ")
    time.sleep(0.3)
    while select.select([t.fd], [], [], 0)[0]:
        t.text += os.read(t.fd, 65536)
    t.text = b""
    began = time.monotonic()
    t.type("b\n")
    t.until(rb"Everything is as it was before")
    took = ms(began)
    t.type("q\n")
    t.end()
    return took


for driver in ["sim", "linux"]:
    rows = {"version": [], "first prompt, new home": [], "first prompt, again": [], "b after four steps": []}
    for _ in range(rounds):
        home = tempfile.mkdtemp()
        env = {"LEARN_HOME": home + "/home", "LEARN_DRIVER": driver, "LEARN_OFFLINE": "1", "TERM": "dumb", "NO_COLOR": "1"}
        rows["version"].append(floor(env))
        rows["first prompt, new home"].append(first_prompt(env))
        rows["first prompt, again"].append(first_prompt(env))
        rows["b after four steps"].append(back(env))
        shutil.rmtree(home)
    for what, times in rows.items():
        print(f"{driver:6} {what:24} {statistics.median(times):7.1f}   ({min(times):.0f} to {max(times):.0f})")
