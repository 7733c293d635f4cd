/* The lock file beside the socket. */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

/* Fields have a fixed width, so that a start overwrites all of it by one pwrite: a daemon killed
 * at that moment leaves the old contents or the new, never half of them. */
#define WRITE_FORMAT "pid %-10d\ninstall %016" PRIx64 "\ngeneration %-20" PRIu64 "\n"
#define READ_FORMAT "pid %d install %" SCNx64 " generation %" SCNu64
#define TEXT_MAX 128

struct contents {
	int pid;
	uint64_t install, generation;
};

static bool
read_contents(int fd, struct contents *c)
{
	char text[TEXT_MAX + 1];
	ssize_t n = pread(fd, text, TEXT_MAX, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	return sscanf(text, READ_FORMAT, &c->pid, &c->install, &c->generation) == 3;
}

static int
open_lock(const char *path)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0 && errno == ELOOP)
		fatalx("%s: a symbolic link; slotd makes this file itself", path);
	if (fd < 0 && errno == ENOENT)
		fatalx("%s: the directory for the socket and its lock does not exist", path);
	if (fd < 0)
		fatal("%s", path);
	if (fstat(fd, &st) < 0)
		fatal("%s", path);
	if (!S_ISREG(st.st_mode))
		fatalx("%s: not a regular file", path);
	/* In a directory that others can write to, somebody else's file must not say who we are. */
	if (st.st_uid != geteuid())
		fatalx("%s: belongs to uid %u, and slotd runs as uid %u", path,
		    (unsigned)st.st_uid, (unsigned)geteuid());
	return fd;
}

static void
draw_install(struct lock *lock)
{
	lock->generation = 1;
	if (getrandom(&lock->install, sizeof(lock->install), 0) != sizeof(lock->install))
		fatal("getrandom");
}

static int
write_contents(const struct lock *lock)
{
	char text[TEXT_MAX];
	int len = snprintf(text, sizeof(text), WRITE_FORMAT, (int)getpid(), lock->install,
	    lock->generation);

	if (pwrite(lock->fd, text, (size_t)len, 0) != len)
		return -1;
	return ftruncate(lock->fd, len);
}

struct lock
lock_take(const char *socket)
{
	struct contents c;
	struct lock lock;
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s.lock", socket) >= sizeof(path))
		fatalx("%s: the path is too long", socket);
	lock.fd = open_lock(path);
	if (flock(lock.fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			fatal("%s", path);
		if (read_contents(lock.fd, &c))
			fatalx("%s: another slotd serves this socket (pid %d)", path, c.pid);
		fatalx("%s: another slotd serves this socket", path);
	}
	if (read_contents(lock.fd, &c)) {
		lock.install = c.install;
		lock.generation = c.generation + 1;
	} else {
		if (lseek(lock.fd, 0, SEEK_END) > 0)
			log_warnx("%s: not understood; starting as a new install", path);
		draw_install(&lock);
	}
	if (write_contents(&lock) < 0)
		fatal("%s", path);
	return lock;
}

void
lock_renew(struct lock *lock)
{
	draw_install(lock);
	if (write_contents(lock) < 0)
		log_warn("the lock file");
}
