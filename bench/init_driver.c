/* init_driver WHAT [-n ROUNDS] [-w WARMUP] [-c CPU] NAME COMMAND [ARG...]
 *             [++ NAME COMMAND [ARG...]]...
 *
 * Measures commands that end in init_load against each other, each as PID 1 of a
 * PID namespace of its own, with no controlling terminal. Every round starts each
 * of them once, in an order of its own (see driver.c), and ends it again: only one
 * is there at a time. WHAT is
 *
 *   memory   kB resident, and of them dirty, while the payload waits
 *   start    microseconds from before the clone to the payload's main
 *   signals  microseconds from before kill(PID 1) until the payload has the signal
 *   cpu      microseconds of CPU that PID 1 takes per orphan; the orphans live,
 *            and end one after the other
 *   calls    system calls of PID 1 per orphan, with the same orphans
 *   zombies  20,000 orphans end while PID 1 is stopped: seconds that their exits
 *            took, and then seconds from SIGCONT until all are reaped
 *
 * Prints one line per command, its fields separated by tabs: name, and for each
 * number (memory and zombies have two) median, 99th percentile, and the median
 * over the rounds of the number divided by that of the first command in the same
 * round. A command that did not do its work gets "-" for all of them.
 *
 * When this process ends, whatever way, so do the namespaces.
 *
 * Exit status: 0, 1 if a command failed, 2 if nothing could be measured. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contest.h"
#include "init_load.h"

enum {
	SIGNALS_A_ROUND = 200,
	ORPHANS_A_ROUND = 500,
	LIMIT = 40, /* seconds for one answer; quadratic exits take about 15 */
};

/* What was started, and the way to its payload. */
struct init {
	char **command;
	double started;
	pid_t pid;
	int ask, answers;  /* ours */
	int input, output; /* its */
};

struct measurement {
	const char *name;
	int columns, samples; /* how many of each a round has */
	int (*measure)(struct init *init, double reached, double *values);
};

static void usage(void)
{
	fprintf(stderr, "usage: init_driver memory|start|signals|cpu|calls|zombies [-n ROUNDS] "
			"[-w WARMUP] [-c CPU] NAME COMMAND [ARG...] [++ NAME COMMAND [ARG...]]...\n");
	exit(EXIT_UNUSABLE);
}

/* PID 1 of the new namespace, in the driver's memory until it executes. */
static int become(void *argument)
{
	struct init *init = argument;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(init->input, STDIN_FILENO) >= 0 && dup2(init->output, STDOUT_FILENO) >= 0)
		execv(init->command[0], init->command);
	_exit(127);
}

/* Like vfork, so that the driver's own pages cost nothing. */
static void start(struct init *init)
{
	static char stack[16384] __attribute__((aligned(16)));
	int flags = CLONE_NEWPID | CLONE_VM | CLONE_VFORK | SIGCHLD;
	int in[2], out[2];

	if (geteuid() != 0)
		flags |= CLONE_NEWUSER;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		give_up("pipe2");
	init->input = in[0];
	init->ask = in[1];
	init->answers = out[0];
	init->output = out[1];

	init->started = microseconds();
	init->pid = clone(become, stack + sizeof stack, flags, init);
	if (init->pid < 0)
		give_up("clone");
	close(init->input);
	close(init->output);
}

static void ask(const struct init *init, enum what what, int count)
{
	struct request request = { what, count };

	if (write(init->ask, &request, sizeof request) != sizeof request)
		give_up("write to the payload");
}

/* Also the end of the file is an answer that is none. */
static int answer(const struct init *init, double *value)
{
	struct pollfd ready = { .fd = init->answers, .events = POLLIN };

	if (poll(&ready, 1, LIMIT * 1000) != 1)
		return -1;
	return read(init->answers, value, sizeof *value) == sizeof *value ? 0 : -1;
}

/* With its standard input at the end, the payload ends. The pipe for answers ends
 * when PID 1 has gone as well; if it does not go, it is made to. */
static int end(const struct init *init)
{
	struct pollfd over = { .fd = init->answers, .events = POLLIN };
	int status;

	close(init->ask);
	if (poll(&over, 1, LIMIT * 1000) != 1 || over.revents & POLLIN)
		kill(init->pid, SIGKILL);
	while (waitpid(init->pid, &status, __WALL) != init->pid || WIFSTOPPED(status))
		;
	close(init->answers);
	return status ? -1 : 0;
}

static void sleep_for(long microseconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = microseconds * 1000 }, NULL);
}

static int memory(struct init *init, double reached, double *values)
{
	char path[64], line[256];
	FILE *file;
	double kilobytes;

	(void)reached;
	sleep_for(20000); /* PID 1 is not yet asleep */
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", init->pid);
	file = fopen(path, "r");
	if (!file)
		give_up(path);
	values[0] = values[1] = 0;
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "Rss: %lf", &kilobytes) == 1)
			values[0] = kilobytes;
		/* A page of a file that others have too is dirty where the file is. */
		if (sscanf(line, "Private_Dirty: %lf", &kilobytes) == 1 ||
		    sscanf(line, "Shared_Dirty: %lf", &kilobytes) == 1)
			values[1] += kilobytes;
	}
	fclose(file);
	return 0;
}

static int start_time(struct init *init, double reached, double *values)
{
	values[0] = reached - init->started;
	return 0;
}

/* Between signals PID 1 gets the CPU for as long as it takes to go back to sleep;
 * the CPU itself is to stay awake. */
static void give_way(void)
{
	double until = microseconds() + 20;

	while (microseconds() < until)
		sched_yield();
}

static int signal_times(struct init *init, double reached, double *values)
{
	double sent, came;

	(void)reached;
	ask(init, SIGNALS, SIGNALS_A_ROUND);
	sleep_for(1000);
	for (int i = 0; i < SIGNALS_A_ROUND; i++) {
		give_way();
		sent = microseconds();
		kill(init->pid, SIGUSR1);
		if (answer(init, &came))
			return -1;
		values[i] = came - sent;
	}
	return 0;
}

static double cpu_time(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		give_up("CPU clock of PID 1");
	return used.tv_sec * 1e6 + used.tv_nsec / 1e3;
}

static int cpu_per_orphan(struct init *init, double reached, double *values)
{
	double before = cpu_time(init->pid), took;

	(void)reached;
	ask(init, ORPHANS, ORPHANS_A_ROUND);
	if (answer(init, &took))
		return -1;
	values[0] = (cpu_time(init->pid) - before) / ORPHANS_A_ROUND;
	return 0;
}

/* Lets a traced process go on from where it stopped, with the signal that is for it. */
static int go_on(pid_t pid, int status)
{
	int number = WSTOPSIG(status);
	int is_signal = status >> 16 == 0 && number != (SIGTRAP | 0x80);

	if (ptrace(PTRACE_SYSCALL, pid, 0, is_signal ? number : 0))
		give_up("PTRACE_SYSCALL");
	return number == (SIGTRAP | 0x80);
}

/* Counts as strace does. Every call stops PID 1 twice, at its entry and its exit;
 * the one that it sleeps in now has its exit only, and the last its entry only. */
static int calls_per_orphan(struct init *init, double reached, double *values)
{
	struct pollfd done = { .fd = init->answers, .events = POLLIN };
	pid_t pid = init->pid;
	int stops = 0, status;
	double took;

	(void)reached;
	sleep_for(1000);
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		give_up("ptrace");
	ask(init, ORPHANS, ORPHANS_A_ROUND);

	while (poll(&done, 1, 0) == 0) {
		pid_t stopped = waitpid(pid, &status, WNOHANG | __WALL);

		if (stopped == 0)
			sched_yield();
		else if (stopped != pid || !WIFSTOPPED(status))
			return -1;
		else
			stops += go_on(pid, status);
	}
	values[0] = stops / 2.0 / ORPHANS_A_ROUND;

	/* Only a stopped process can be let go of. */
	if (answer(init, &took) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_DETACH, pid, 0, 0))
		return -1;
	return 0;
}

static int zombie_times(struct init *init, double reached, double *values)
{
	double exits, gone, continued;
	int status;

	(void)reached;
	kill(init->pid, SIGSTOP);
	if (waitpid(init->pid, &status, WUNTRACED) != init->pid || !WIFSTOPPED(status))
		give_up("stop PID 1");
	ask(init, ZOMBIES, MAX_ORPHANS);
	if (answer(init, &exits))
		return -1;

	ask(init, GONE, MAX_ORPHANS);
	continued = microseconds();
	kill(init->pid, SIGCONT);
	if (answer(init, &gone))
		return -1;
	values[0] = exits / 1e6;
	values[1] = (gone - continued) / 1e6;
	return 0;
}

/* One start of one contender; what it measured goes into `values`. */
static int launch(const struct measurement *what, char **command, double *values)
{
	struct init init = { .command = command };
	double reached;
	int failed;

	start(&init);
	failed = answer(&init, &reached) || what->measure(&init, reached, values);
	if (failed)
		kill(init.pid, SIGKILL);
	return end(&init) || failed;
}

/* The medians of each round's samples, in `medians`. */
static void per_round(const double *samples, int rounds, int count, double *medians)
{
	double *sorted = malloc(count * sizeof *sorted);

	if (!sorted)
		give_up("malloc");
	for (int round = 0; round < rounds; round++) {
		memcpy(sorted, samples + round * count, count * sizeof *sorted);
		qsort(sorted, count, sizeof *sorted, ascending);
		medians[round] = quantile(sorted, count, 0.5);
	}
	free(sorted);
}

static void report(const double *samples, const double *reference, int rounds, int count)
{
	size_t size = rounds * sizeof(double);
	double *ratios = malloc(size), *base = malloc(size), *sorted = malloc(size * count);

	if (!ratios || !base || !sorted)
		give_up("malloc");
	per_round(samples, rounds, count, ratios);
	per_round(reference, rounds, count, base);
	for (int round = 0; round < rounds; round++)
		ratios[round] /= base[round];
	qsort(ratios, rounds, sizeof *ratios, ascending);

	/* A copy: the first contender's samples are every other's reference. */
	memcpy(sorted, samples, size * count);
	qsort(sorted, rounds * count, sizeof *sorted, ascending);
	printf("\t%.2f\t%.2f\t%.2f", quantile(sorted, rounds * count, 0.5),
	       quantile(sorted, rounds * count, 0.99), quantile(ratios, rounds, 0.5));
	free(sorted);
	free(ratios);
	free(base);
}

static const struct measurement MEASUREMENTS[] = {
	{ "memory", 2, 1, memory },
	{ "start", 1, 1, start_time },
	{ "signals", 1, SIGNALS_A_ROUND, signal_times },
	{ "cpu", 1, 1, cpu_per_orphan },
	{ "calls", 1, 1, calls_per_orphan },
	{ "zombies", 2, 1, zombie_times },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct contender contenders[MAX_CONTENDERS + 1] = { 0 };
	const struct measurement *what = MEASUREMENTS;
	int rounds = 300, warmup = 1, any_failed = 0;
	int order[MAX_CONTENDERS];
	int option, count;
	double values[2 * SIGNALS_A_ROUND];

	if (argc < 2)
		usage();
	while (what->name && strcmp(what->name, argv[1]))
		what++;
	if (!what->name)
		usage();
	optind = 2;
	while ((option = getopt(argc, argv, "+n:w:c:")) != -1) {
		switch (option) {
		case 'n':
			rounds = number(optarg, 1);
			break;
		case 'w':
			warmup = number(optarg, 0);
			break;
		case 'c':
			pin(number(optarg, 0));
			break;
		default:
			usage();
		}
	}

	count = split(argv + optind, contenders);
	if (count == 0)
		usage();
	for (int c = 0; c < count; c++) {
		order[c] = c;
		contenders[c].samples = calloc(what->columns * rounds * what->samples, sizeof(double));
		if (!contenders[c].samples)
			give_up("calloc");
	}

	/* No terminal, as in a container. It fails for the leader of a process group,
	 * which what a script starts is not; and all ends with the script. */
	if (setsid() < 0)
		give_up("setsid");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A payload that is gone is found out by its answer. */
	signal(SIGPIPE, SIG_IGN);

	for (int round = -warmup; round < rounds; round++) {
		shuffle(order, count);
		for (int i = 0; i < count; i++) {
			struct contender *next = &contenders[order[i]];

			if (next->failures)
				continue;
			next->failures = launch(what, next->command, values);
			for (int c = 0; c < what->columns && round >= 0; c++)
				memcpy(next->samples + (c * rounds + round) * what->samples,
				       values + c * what->samples,
				       what->samples * sizeof *values);
		}
	}

	for (int c = 0; c < count; c++) {
		fputs(contenders[c].name, stdout);
		for (int column = 0; column < what->columns; column++) {
			int offset = column * rounds * what->samples;

			if (contenders[c].failures || contenders[0].failures)
				fputs("\t-\t-\t-", stdout);
			else
				report(contenders[c].samples + offset,
				       contenders[0].samples + offset, rounds, what->samples);
		}
		putchar('\n');
		any_failed |= contenders[c].failures;
	}
	return any_failed;
}
