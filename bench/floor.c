/* floor COMMAND [ARG...]: the yardstick of the benchmark.
 *
 * The fewest system calls that still give COMMAND eight namespaces of its own
 * and a PID 1 that reaps: a launcher that is of any use does this and more.
 * It has no options, reads no configuration, forwards no signals and explains
 * no failures. COMMAND is a path; it is not looked up in PATH.
 *
 * Exit status: that of COMMAND, 128 + N if signal N ended it, 127 if it could
 * not be executed, 125 if the namespaces could not be set up. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

enum { EXIT_SETUP = 125, EXIT_EXEC = 127, EXIT_SIGNAL = 128 };

static const uint64_t NAMESPACES = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS |
	CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME;

/* The first version of the kernel's struct clone_args, which is all this needs. */
struct clone_request {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
};

static void give_up(const char *what)
{
	perror(what);
	_exit(EXIT_SETUP);
}

static void write_file(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length)
		give_up(path);
	close(fd);
}

/* Maps the caller's own id, and no other, to root of the new namespace. */
static void map_id(const char *path, unsigned id)
{
	char line[32];

	snprintf(line, sizeof line, "0 %u 1\n", id);
	write_file(path, line);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		give_up("lo");
	close(fd);
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for `pid`, and collects whatever else ends before it. */
static int wait_for(pid_t pid, pid_t whom)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(whom, &status, 0);
	while (ended != pid && (ended > 0 || errno == EINTR));

	return ended == pid ? exit_code(status) : EXIT_SETUP;
}

static void set_up(unsigned uid, unsigned gid)
{
	write_file("/proc/self/setgroups", "deny");
	map_id("/proc/self/uid_map", uid);
	map_id("/proc/self/gid_map", gid);

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		give_up("/");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		give_up("/proc");

	loopback_up();
}

static int run_as_init(char **command)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(command[0], command);
		_exit(EXIT_EXEC);
	}
	if (pid < 0)
		give_up("vfork");

	return wait_for(pid, -1);
}

int main(int argc, char **argv)
{
	struct clone_request request = { .flags = NAMESPACES, .exit_signal = SIGCHLD };
	unsigned uid = geteuid();
	unsigned gid = getegid();
	long pid;

	if (argc < 2) {
		fprintf(stderr, "usage: floor COMMAND [ARG...]\n");
		return EXIT_SETUP;
	}

	pid = syscall(SYS_clone3, &request, sizeof request);
	if (pid < 0)
		give_up("clone3");
	if (pid == 0) {
		set_up(uid, gid);
		_exit(run_as_init(argv + 1));
	}
	return wait_for(pid, pid);
}
