/* init_load: the payload of bench/init. It says when its main was reached, then
 * does what init_load.h lists until its standard input ends. */

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init_load.h"

/* So few of those that end one by one are alive at a time. */
enum { BATCH = 500 };

/* Written by the process in between, which makes the orphans. */
static pid_t *orphans;

static double microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void answer(double value)
{
	if (write(STDOUT_FILENO, &value, sizeof value) != sizeof value)
		exit(1);
}

static void sleep_for(long nanoseconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = nanoseconds }, NULL);
}

/* Grandchildren: PID 1 has them as soon as their parent has gone. */
static void make_orphans(int first, int count)
{
	pid_t between;
	int status;

	between = fork();
	if (between == 0) {
		for (int i = first; i < first + count; i++) {
			pid_t orphan = fork();

			if (orphan == 0)
				for (;;)
					pause();
			if (orphan < 0)
				_exit(1);
			orphans[i] = orphan;
		}
		_exit(0);
	}
	if (between < 0 || waitpid(between, &status, 0) != between || status)
		exit(1);
}

/* Each has a SIGCHLD of its own: PID 1 is asleep again when the next one ends. This
 * process sleeps meanwhile, for the shortest that there is (about 50 microseconds),
 * so that nobody else wants the CPU: where the scheduler groups processes by session,
 * one that only yields it would come in between. */
static void end_one_by_one(int count)
{
	double start = microseconds();

	for (int first = 0; first < count; first += BATCH) {
		int part = count - first < BATCH ? count - first : BATCH;

		make_orphans(first, part);
		for (int i = first; i < first + part; i++) {
			kill(orphans[i], SIGKILL);
			do
				sleep_for(1);
			while (kill(orphans[i], 0) == 0);
			sleep_for(1); /* it may ask whether there are more */
		}
	}
	answer(microseconds() - start);
}

/* One is made after the other has ended, so that the newest of the process group is
 * always a zombie: the kernel looks through a group, newest first, for a live one
 * that keeps it from being orphaned. Only the time of the exits counts. Not a file
 * tells when an exit is over, since files are closed at its beginning; a pidfd does. */
static void leave_zombies(int count)
{
	double exits = 0, start;

	for (int i = 0; i < count; i++) {
		struct pollfd ended = { .events = POLLIN };

		make_orphans(i, 1);
		ended.fd = syscall(SYS_pidfd_open, orphans[i], 0);
		start = microseconds();
		kill(orphans[i], SIGKILL);
		if (ended.fd < 0 || poll(&ended, 1, -1) != 1)
			exit(1);
		exits += microseconds() - start;
		close(ended.fd);
	}
	answer(exits);
}

/* Asleep nearly all the time: PID 1 is to have the CPU. */
static void wait_until_gone(int count)
{
	for (int i = 0; i < count; i++)
		while (kill(orphans[i], 0) == 0)
			sleep_for(200000);
	answer(microseconds());
}

static void take_signals(int count, const sigset_t *set)
{
	for (int i = 0; i < count; i++) {
		sigwaitinfo(set, NULL);
		answer(microseconds());
	}
}

int main(void)
{
	double reached = microseconds();
	struct request request;
	sigset_t set;

	/* Before the answer: a signal that comes after it is not lost. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	answer(reached);

	orphans = mmap(NULL, MAX_ORPHANS * sizeof *orphans, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (orphans == MAP_FAILED)
		return 1;

	while (read(STDIN_FILENO, &request, sizeof request) == sizeof request) {
		switch (request.what) {
		case SIGNALS:
			take_signals(request.count, &set);
			break;
		case ORPHANS:
			end_one_by_one(request.count);
			break;
		case ZOMBIES:
			leave_zombies(request.count);
			break;
		case GONE:
			wait_until_gone(request.count);
			break;
		}
	}
	return 0;
}
