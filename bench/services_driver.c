/* services_driver SERVICES FILE COMMAND [ARG...]
 *
 * Starts COMMAND, which watches over services, as PID 1 of a PID namespace of its
 * own, and waits until FILE has a byte of each service. Each service is this same
 * file as its run (or its log's): called run, it adds a byte to $STARTED and
 * sleeps. Prints, separated by tabs: milliseconds from before the clone to the
 * last byte; how many processes watch; their memory together: kB resident, and of
 * them dirty (what only that process has, and has written).
 *
 * Exit status: 0, 1 if not all services were there in a minute, 2 if nothing
 * could be measured. */

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static void be_service(void)
{
	int file = open(getenv("STARTED"), O_WRONLY | O_APPEND);

	if (file < 0 || write(file, ".", 1) != 1)
		give_up("services_driver: $STARTED");
	for (;;)
		pause();
}

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* The kB of a line of smaps_rollup; 0 without that line. */
static long kilobytes(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? atol(line + strlen(name)) : 0;
}

/* Adds up what watches: all in the namespace but the services. */
static void measure(const char *namespace)
{
	char path[PATH_MAX], text[8192];
	struct stat own, other;
	long processes = 0, resident = 0, dirty = 0;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc || stat("/proc/self/exe", &own))
		give_up("services_driver: /proc");
	while ((entry = readdir(proc))) {
		ssize_t length;
		int file;

		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof path, "/proc/%s/ns/pid", entry->d_name);
		length = readlink(path, text, sizeof text - 1);
		text[length < 0 ? 0 : length] = 0;
		if (strcmp(text, namespace))
			continue;
		snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
		if (stat(path, &other) || (own.st_dev == other.st_dev && own.st_ino == other.st_ino))
			continue;
		snprintf(path, sizeof path, "/proc/%s/smaps_rollup", entry->d_name);
		file = open(path, O_RDONLY);
		if (file < 0)
			continue;
		length = read(file, text, sizeof text - 1);
		text[length < 0 ? 0 : length] = 0;
		close(file);
		processes++;
		resident += kilobytes(text, "\nRss:");
		dirty += kilobytes(text, "\nPrivate_Dirty:");
	}
	closedir(proc);
	printf("%ld\t%ld\t%ld\n", processes, resident, dirty);
}

int main(int count, char **words)
{
	const char *name = strrchr(words[0], '/');
	char namespace[64], path[64];
	long services;
	double began, took;
	ssize_t length;
	pid_t child;

	if (!strcmp(name ? name + 1 : words[0], "run"))
		be_service();
	if (count < 4) {
		fprintf(stderr, "usage: services_driver SERVICES FILE COMMAND [ARG...]\n");
		return 2;
	}
	services = atol(words[1]);
	if (setenv("STARTED", words[2], 1) || truncate(words[2], 0))
		give_up(words[2]);

	began = milliseconds();
	child = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		give_up("services_driver: clone");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(words[3], words + 3);
		give_up(words[3]);
	}
	for (;;) {
		struct stat status;

		took = milliseconds() - began;
		if (!stat(words[2], &status) && status.st_size >= services)
			break;
		if (took > 60e3 || waitpid(child, NULL, WNOHANG) == child) {
			kill(child, SIGKILL);
			return 1;
		}
		usleep(200);
	}
	/* What comes after the last start, the files in supervise, is to be done. */
	usleep(500 * 1000);
	snprintf(path, sizeof path, "/proc/%d/ns/pid", child);
	length = readlink(path, namespace, sizeof namespace - 1);
	namespace[length < 0 ? 0 : length] = 0;
	printf("%.1f\t", took);
	measure(namespace);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
