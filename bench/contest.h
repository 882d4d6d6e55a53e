/* What the drivers share: the words of a command line as contenders, a new order
 * for every round, and quantiles. Each includes it once. */

#ifndef CONTEST_H
#define CONTEST_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_CONTENDERS = 16, EXIT_UNUSABLE = 2 };

struct contender {
	const char *name;
	char **command;
	double *samples; /* by round */
	int failures;
};

/* Each driver's own: says how it is called, and exits. */
static void usage(void);

static void give_up(const char *what)
{
	perror(what);
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

/* Cuts the words at each "++" and returns how many commands they are. */
static int split(char **words, struct contender *contenders)
{
	int count = 0;

	while (*words) {
		struct contender *next = &contenders[count++];

		if (count > MAX_CONTENDERS)
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

#endif
