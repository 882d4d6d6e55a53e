/* extract ARCHIVE DIRECTORY: the least that unpacks one cpio archive (newc): it maps the file, and
 * makes directories, links and files with their data. It checks nothing, and sets neither owners nor
 * times. What it cannot make it leaves out. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The eight hexadecimal digits of a header's field. */
static unsigned long field(const char *header, int number)
{
	char digits[9] = { 0 };

	memcpy(digits, header + 6 + 8 * number, 8);
	return strtoul(digits, NULL, 16);
}

int main(int count, char **words)
{
	int file = count == 3 ? open(words[1], O_RDONLY) : -1;
	struct stat status;

	if (file < 0 || fstat(file, &status) != 0 || chdir(words[2]) != 0)
		return 1;
	const char *at = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	const char *end = at + status.st_size;

	umask(0);
	while (at + 110 < end && memcmp(at, "0707", 4) == 0) {
		unsigned long mode = field(at, 1), size = field(at, 6);
		const char *name = at + 110;
		const char *data = at + ((110 + field(at, 11) + 3) & ~3UL);

		if (strcmp(name, "TRAILER!!!") == 0)
			return 0;
		if (S_ISDIR(mode)) {
			mkdir(name, mode & 07777);
		} else if (S_ISLNK(mode)) {
			char *target = strndup(data, size);

			if (symlink(target, name) != 0)
				return 1;
			free(target);
		} else if (S_ISREG(mode)) {
			int made = open(name, O_WRONLY | O_CREAT | O_EXCL, mode & 07777);

			if (write(made, data, size) != (ssize_t)size || close(made) != 0)
				return 1;
		}
		at = data + ((size + 3) & ~3UL);
	}
	return 1;
}
