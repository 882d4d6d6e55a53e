/* The measuring part of bench/boot: one static program in each initramfs, with three names.
 *
 * /start     is what the kernel starts: writes the time to /started, and becomes /init
 * /payload   is what init starts: says a line, and how long after that it was, in
 *            nanoseconds, with the memory of PID 1 half a second later, in kB: all
 *            that it has in memory, and what it has written itself. Ends the machine.
 * /nothing   ends at once: a stage before the payload, for an init that needs one
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int start(char **arguments)
{
	int file = open("/started", O_WRONLY | O_CREAT, 0600);
	long long now = nanoseconds();

	if (file < 0 || write(file, &now, sizeof now) != sizeof now)
		return 1;
	close(file);
	arguments[0] = "/init";
	execv("/init", arguments);
	return 1;
}

/* The kB of a line of smaps_rollup; -1 without that line. */
static long kilobytes(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? atol(line + strlen(name)) : -1;
}

static int payload(void)
{
	int console = open("/dev/console", O_WRONLY | O_NOCTTY);
	int file = open("/started", O_RDONLY);
	long long before, after;
	char text[4096] = "";

	if (write(console, "payload\n", 8) != 8)
		return 1;
	after = nanoseconds();
	if (read(file, &before, sizeof before) != sizeof before)
		return 1;
	usleep(500000);
	mkdir("/proc", 0555);
	if (access("/proc/1", F_OK) != 0)
		mount("proc", "/proc", "proc", 0, NULL);
	file = open("/proc/1/smaps_rollup", O_RDONLY);
	if (read(file, text, sizeof text - 1) < 0)
		return 1;
	dprintf(console, "measured %lld %ld %ld\n", after - before,
		kilobytes(text, "\nRss:"), kilobytes(text, "\nAnonymous:"));
	return reboot(RB_POWER_OFF);
}

int main(int count, char **arguments)
{
	const char *name = count ? strrchr(arguments[0], '/') : NULL;

	if (name && strcmp(name, "/start") == 0)
		return start(arguments);
	/* runit calls its second stage so. */
	if (name && (strcmp(name, "/payload") == 0 || strcmp(name, "/2") == 0))
		return payload();
	return 0;
}
