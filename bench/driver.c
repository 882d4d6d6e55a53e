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
#include <sys/wait.h>
#include <unistd.h>

#include "contest.h"

static void usage(void)
{
	fprintf(stderr, "usage: driver [-n ROUNDS] [-w WARMUP] [-c CPU] "
			"NAME COMMAND [ARG...] [++ NAME COMMAND [ARG...]]...\n");
	exit(EXIT_UNUSABLE);
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

static void report(const struct contender *one, const double *reference, int rounds)
{
	size_t size = rounds * sizeof(double);
	double *times = malloc(size), *ratios = malloc(size);

	if (!times || !ratios)
		give_up("malloc");
	for (int i = 0; i < rounds; i++) {
		times[i] = one->samples[i];
		ratios[i] = one->samples[i] / reference[i];
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
	struct contender contenders[MAX_CONTENDERS + 1] = { 0 };
	int rounds = 300, warmup = 20, any_failed = 0;
	int order[MAX_CONTENDERS];
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
		contenders[c].samples = calloc(rounds, sizeof(double));
		if (!contenders[c].samples)
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
				next->samples[round] = time;
		}
	}

	for (int c = 0; c < count; c++) {
		report(&contenders[c], contenders[0].samples, rounds);
		any_failed |= contenders[c].failures != 0;
	}
	return any_failed;
}
