/* The lease page of the made-up slotd. */
#include "tests/unit/lib/peer.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MSEC 1000000LL

static int64_t
boottime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000 * MSEC + ts.tv_nsec;
}

static void
read_boot_id(uint8_t boot_id[16])
{
	char text[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
	ssize_t n = read(fd, text, sizeof text);

	ck_assert(n > 0 && page_parse_boot_id(text, (size_t)n, boot_id));
	close(fd);
}

void
peer_page_make(struct peer *peer)
{
	size_t size = page_size(PEER_CELLS, 1);

	peer_page_drop(peer);
	peer->page_fd = memfd_create("page", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(peer->page_fd, (off_t)size), 0);
	peer->page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, peer->page_fd, 0);
	ck_assert_ptr_ne(peer->page, MAP_FAILED);
	memcpy(peer->page->magic, PAGE_MAGIC, sizeof peer->page->magic);
	peer->page->version = PAGE_VERSION;
	peer->page->header_size = PAGE_HEADER_SIZE;
	peer->page->cell_size = sizeof(struct page_cell);
	peer->page->n_cells = PEER_CELLS;
	peer->page->n_inherited = 1;
	read_boot_id(peer->page->boot_id);
}

void
peer_page_drop(struct peer *peer)
{
	if (peer->page == NULL)
		return;
	munmap(peer->page, page_size(PEER_CELLS, 1));
	close(peer->page_fd);
	peer->page = NULL;
	peer->page_fd = -1;
}

void
peer_cell(struct peer *peer, int n, const char *group, uint32_t slot, uint64_t token, int64_t left_ms)
{
	struct page_cell *cell = page_cells(peer->page) + n;

	__atomic_store_n(&cell->token, 0, __ATOMIC_RELEASE);
	cell->group = page_group_hash(group);
	cell->slot = slot;
	cell->uid = getuid();
	__atomic_store_n(&cell->deadline, boottime() + left_ms * MSEC, __ATOMIC_RELEASE);
	__atomic_store_n(&cell->token, token, __ATOMIC_RELEASE);
}

void
peer_pass_fds(struct peer *peer, const int *fds, int n, const char *line)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr aligned;
	} control = {.bytes = {0}};
	char text[512];
	int len = snprintf(text, sizeof text, "%s %s\n", peer->tag, line);
	struct iovec iov = {text, (size_t)len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes};
	struct cmsghdr *c = &control.aligned;

	ck_assert_int_le(n, 8);
	msg.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
	(void)!sendmsg(peer->fd, &msg, MSG_NOSIGNAL);    /* the library may have had enough */
}

void
peer_hello_ok(struct peer *peer)
{
	char line[256];

	snprintf(line, sizeof line, "OK version=9.9 protocol=1 features=page lease=%d margin=%d left=%d "
	    "now=%lld", PEER_LEASE_MS, PEER_MARGIN_MS, PEER_LEFT_MS, (long long)boottime());
	peer_pass_fds(peer, &peer->page_fd, 1, line);
}

void
peer_greet_strict(struct peer *peer)
{
	peer_page_make(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_hello_ok(peer);
}
