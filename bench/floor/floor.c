// floor ROUNDS LOWER UPPER WORK: what the kernel alone needs to start a container. Each round clones a process into new mount, process,
// host name, IPC, network and control group namespaces, mounts an overlay, proc and a tmpfs for /dev, turns the root around, and executes
// /bin/true of LOWER. It prints the median in microseconds from before the clone until the program has been executed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what) {
	if (!ok) {
		fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
		_exit(1);
	}
}

static void become(const char *lower, const char *upper, const char *work) {
	char options[4096];
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
	must(mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0, "make mounts private");
	must(mount("overlay", upper, "overlay", 0, options) == 0, "mount overlay");
	must(chdir(upper) == 0, "chdir");
	must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "") == 0, "mount proc");
	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k") == 0, "mount dev");
	must(sethostname("floor", 5) == 0, "set host name");
	must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	must(umount2(".", MNT_DETACH) == 0, "leave the old root");
	char *argv[] = {"/bin/true", NULL}, *env[] = {NULL};
	execve(argv[0], argv, env);
	must(0, "execute /bin/true");
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv) {
	if (argc != 5 || atoi(argv[1]) < 1) {
		fprintf(stderr, "usage: floor ROUNDS LOWER UPPER WORK\n");
		return 2;
	}
	int rounds = atoi(argv[1]);
	double *took = calloc(rounds, sizeof *took);
	for (int i = 0; i < rounds; i++) {
		int ready[2], status;
		char end;
		must(pipe2(ready, O_CLOEXEC) == 0, "make pipe");
		double begin = now();
		struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP,
					  .exit_signal = SIGCHLD};
		pid_t pid = syscall(SYS_clone3, &args, sizeof args);
		must(pid >= 0, "clone");
		if (pid == 0)
			become(argv[2], argv[3], argv[4]);
		close(ready[1]);
		must(read(ready[0], &end, 1) == 0, "await execve"); // the program's execve closes the last writing end
		took[i] = now() - begin;
		close(ready[0]);
		must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "run /bin/true");
	}
	qsort(took, rounds, sizeof *took, ascending);
	printf("%.0f\n", took[rounds / 2]);
	return 0;
}
