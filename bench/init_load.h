/* What init_driver asks of init_load, on its standard input, and gets for an
 * answer, on its standard output: any number of times in microseconds. The first
 * answer comes unasked: when main was reached. */

#ifndef INIT_LOAD_H
#define INIT_LOAD_H

enum what {
	SIGNALS, /* `count` times: wait for SIGUSR1, and answer when it came */
	ORPHANS, /* `count` of them live and end one after the other: how long that took */
	ZOMBIES, /* `count` of them end, and nobody reaps: how long their exits took */
	GONE,    /* wait until those have been reaped: when the last was gone */
};

enum { MAX_ORPHANS = 20000 };

struct request {
	enum what what;
	int count; /* of orphans at most MAX_ORPHANS */
};

#endif
