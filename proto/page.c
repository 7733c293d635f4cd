/* The lease page: what its reader and its writer both must know. */
#include "proto/page.h"

#include <string.h>

uint64_t
page_group_hash(const char *name)
{
	uint64_t hash = 14695981039346656037u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211u;
	return hash;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx */
bool
page_parse_boot_id(const char *text, size_t len, uint8_t boot_id[16])
{
	size_t n = 0;

	if (len == 37 && text[36] == '\n')
		len--;
	if (len != 36)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		int digit = hex_digit(text[i]);

		if (is_dash ? text[i] != '-' : digit < 0)
			return false;
		if (is_dash)
			continue;
		boot_id[n / 2] = (uint8_t)(n % 2 == 0 ? digit << 4 : boot_id[n / 2] | digit);
		n++;
	}
	return true;
}

const char *
page_check(const struct page_header *header, uint64_t size, const uint8_t boot_id[16])
{
	if (size < PAGE_HEADER_SIZE)
		return "too short";
	if (memcmp(header->magic, PAGE_MAGIC, sizeof header->magic) != 0)
		return "not a lease page";
	if (header->version != PAGE_VERSION)
		return "of another version";
	if (header->header_size != PAGE_HEADER_SIZE ||
	    header->cell_size != sizeof(struct page_cell) || header->n_cells > PAGE_CELLS_MAX ||
	    header->n_inherited > PAGE_CELLS_MAX ||
	    size != page_size(header->n_cells, header->n_inherited))
		return "not of the size that it says";
	if (memcmp(header->boot_id, boot_id, sizeof header->boot_id) != 0)
		return "of another boot";
	return NULL;
}
