/* init_floor COMMAND [ARG...]: the yardstick of bench/init.
 *
 * The fewest system calls with which a PID 1 can start COMMAND, reap whatever
 * ends and pass a signal on: one per orphan, since it may sleep in waitpid. For
 * that it needs a handler for each signal, and here only one signal has one: a
 * reaper of any use does more at its start than this. COMMAND is a path; it is
 * not looked up in PATH.
 *
 * Exit status: that of COMMAND, 128 + N if signal N ended it. */

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SETUP = 125, EXIT_EXEC = 127, EXIT_SIGNAL = 128 };

static volatile pid_t payload;

/* The driver sends nothing before the payload runs, so the number is known. */
static void forward(int number)
{
	kill(payload, number);
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid, ended;

	if (argc < 2)
		return EXIT_SETUP;

	signal(SIGUSR1, forward);
	pid = vfork();
	if (pid == 0) {
		execv(argv[1], argv + 1);
		_exit(EXIT_EXEC);
	}
	if (pid < 0)
		return EXIT_SETUP;
	payload = pid;

	do
		ended = waitpid(-1, &status, 0);
	while (ended != pid && (ended > 0 || errno == EINTR));

	if (ended != pid)
		return EXIT_SETUP;
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
