/* driver [-n ROUNDS] [-w WARMUP] [-c CPU] NAME COMMAND [ARG...] [++ NAME COMMAND ...]
 *
 * Times several commands against each other. Every round launches each of them
 * once (A B C, B A C, ...), so that whatever else the machine does falls on all
 * of them alike. Each round has an order of its own: the kernel takes namespaces
 * down after their last process has gone, and what comes next pays for that;
 * it must not always be the same one. The orders are the same in every run. One
 * launch is timed from just before vfork to just after wait4. The first WARMUP
 * rounds are not counted. With -c, this process and thereby all it launches stay
 * on one CPU.
 *
 * Prints one line per command, its fields separated by tabs: name, median in
 * microseconds, 99th percentile in microseconds, the median over the rounds of
 * its time divided by that of the first command in the same round, and the
 * number of its launches that did not end with exit status 0.
 *
 * Exit status: 0, 1 if any launch failed, 2 if nothing could be measured. */

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 16, EXIT_UNUSABLE = 2 };

struct contender {
	const char *name;
	char **command;
	double *times; /* by round, in microseconds */
	int failures;
};

static void give_up(const char *what)
{
	perror(what);
	exit(EXIT_UNUSABLE);
}

static void usage(void)
{
	fprintf(stderr, "usage: driver [-n ROUNDS] [-w WARMUP] [-c CPU] "
			"NAME COMMAND [ARG...] [++ NAME COMMAND [ARG...]]...\n");
	exit(EXIT_UNUSABLE);
}

static int number(const char *text, int least)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < least || value > 1000000)
		usage();
	return (int)value;
}

static void pin(int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (sched_setaffinity(0, sizeof only, &only))
		give_up("sched_setaffinity");
}

static double microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* Runs `command` to its end: its time, and in `failed` whether it failed. */
static double launch(char **command, int *failed)
{
	double start = microseconds();
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execv(command[0], command);
		_exit(127);
	}
	if (pid < 0)
		give_up("vfork");
	while (wait4(pid, &status, 0, NULL) < 0)
		if (errno != EINTR)
			give_up("wait4");

	*failed = status != 0;
	return microseconds() - start;
}

/* Cuts the words at each "++" and returns how many commands they are. */
static int split(char **words, struct contender *contenders)
{
	int count = 0;

	while (*words) {
		struct contender *next = &contenders[count++];

		if (count > MAX_COMMANDS)
			usage();
		next->name = *words++;
		next->command = words;
		while (*words && strcmp(*words, "++"))
			words++;
		if (words == next->command)
			usage();
		if (*words)
			*words++ = NULL;
	}
	return count;
}

static void shuffle(int *order, int count)
{
	for (int last = count - 1; last > 0; last--) {
		int other = rand() % (last + 1);
		int kept = order[last];

		order[last] = order[other];
		order[other] = kept;
	}
}

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The value below which `part` of the sorted values lie, interpolated. */
static double quantile(const double *sorted, int count, double part)
{
	double place = part * (count - 1);
	int below = (int)place;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

static void report(const struct contender *one, const double *reference, int rounds)
{
	size_t size = rounds * sizeof(double);
	double *times = malloc(size), *ratios = malloc(size);

	if (!times || !ratios)
		give_up("malloc");
	for (int i = 0; i < rounds; i++) {
		times[i] = one->times[i];
		ratios[i] = one->times[i] / reference[i];
	}
	qsort(times, rounds, sizeof *times, ascending);
	qsort(ratios, rounds, sizeof *ratios, ascending);

	printf("%s\t%.0f\t%.0f\t%.2f\t%d\n", one->name, quantile(times, rounds, 0.5),
	       quantile(times, rounds, 0.99), quantile(ratios, rounds, 0.5), one->failures);
	free(times);
	free(ratios);
}

int main(int argc, char **argv)
{
	struct contender contenders[MAX_COMMANDS + 1] = { 0 };
	int rounds = 300, warmup = 20, any_failed = 0;
	int order[MAX_COMMANDS];
	int option, count;

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
		contenders[c].times = calloc(rounds, sizeof(double));
		if (!contenders[c].times)
			give_up("calloc");
	}

	for (int round = -warmup; round < rounds; round++) {
		shuffle(order, count);
		for (int i = 0; i < count; i++) {
			struct contender *next = &contenders[order[i]];
			int failed;
			double time = launch(next->command, &failed);

			next->failures += failed;
			if (round >= 0)
				next->times[round] = time;
		}
	}

	for (int c = 0; c < count; c++) {
		report(&contenders[c], contenders[0].times, rounds);
		any_failed |= contenders[c].failures != 0;
	}
	return any_failed;
}
