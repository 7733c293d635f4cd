/* What a hold is worth: proven, unproven or lost; and that the program hears of a change.
 *
 * slot_valid() asks the page itself.  Whoever waits for a change is woken at the deadline that was
 * last read there: mostly it has moved on by then. */
#include "client/libslot/connection.h"

/* What is unproven is looked at so often: slotd may renew it without a word, if it was only late. */
#define LOOK_AGAIN_MS 100

static const struct page_cell no_cell;          /* of holds that nothing proves: no token is 0 */

/* ------------------------------------------------------------------ any thread */

/* When the page says that the hold ends; 0: it does not prove it; -1: a raw hold.  The cell may be
 * another by the time that it is read, if the hold has been resumed: then it is read again. */
static int64_t
deadline_read(const struct slot_hold *hold)
{
	const struct page_cell *cell, *now = __atomic_load_n(&hold->cell, __ATOMIC_ACQUIRE);
	int64_t deadline;

	do {
		cell = now;
		deadline = cell != NULL ? page_deadline(cell, hold->token) : -1;
		now = __atomic_load_n(&hold->cell, __ATOMIC_ACQUIRE);
	} while (cell != now);
	return deadline;
}

int
slot_valid(const struct slot_hold *hold)
{
	int64_t deadline = deadline_read(hold);

	return deadline > 0 && now_ns() < deadline;
}

int64_t
slot_hold_left_ms(const struct slot_hold *hold)
{
	int64_t deadline = deadline_read(hold), left;

	if (deadline <= 0)
		return deadline;
	left = deadline - now_ns();
	return left > 0 ? left / MSEC : 0;
}

/* ------------------------------------------------------------------ the connection's thread */

/* The former page is given up when nobody can find it any more. */
void
proof_set(struct slot_hold *hold, struct page *page, const struct page_cell *cell)
{
	struct page *former = hold->page;

	hold->page = page;
	if (page != NULL)
		page_use(page);
	__atomic_store_n(&hold->cell, cell, __ATOMIC_RELEASE);
	if (former != NULL)
		page_unuse(former);
}

void
proof_end(struct slot_hold *hold)
{
	proof_set(hold, NULL, &no_cell);
}

enum slot_state
slot_hold_state(const struct slot_hold *hold)
{
	if (hold->lost[0] != '\0')
		return SLOT_STATE_LOST;
	return hold->cell == NULL || slot_valid(hold) ? SLOT_STATE_PROVEN : SLOT_STATE_UNPROVEN;
}

/* A hold whose deadline passes while no slotd knows it as ours is lost: one that comes later does
 * not take it over any more. */
void
proof_check(struct slot_conn *conn, struct slot_hold *hold)
{
	int64_t deadline = deadline_read(hold), now = now_ns(), look;
	enum slot_state state;

	if (hold->lost[0] != '\0')
		return;
	if (deadline > 0)
		hold->deadline = deadline;
	if (hold->page != NULL && !hold->is_ours && hold->claim == NULL && now >= hold->deadline) {
		hold_lose(hold, "lease");
		return;
	}
	state = deadline < 0 || deadline > now ? SLOT_STATE_PROVEN : SLOT_STATE_UNPROVEN;
	if (state != hold->told)
		hold_tell(conn, hold);
	if (hold->page == NULL)         /* raw, or without a slot: that does not change */
		return;
	look = state == SLOT_STATE_PROVEN ? deadline : now + LOOK_AGAIN_MS * MSEC;
	if (look < conn->check_at)
		conn->check_at = look;
}

void
proof_check_all(struct slot_conn *conn)
{
	struct slot_hold *hold;

	conn->check_at = NEVER;
	TAILQ_FOREACH(hold, &conn->holds, link)
		proof_check(conn, hold);
}

int64_t
slot_lease_ms(const struct slot_conn *conn)
{
	return conn != NULL ? conn->lease_ms : 0;
}

int64_t
slot_margin_ms(const struct slot_conn *conn)
{
	return conn != NULL ? conn->margin_ms : 0;
}

int64_t
slot_left_ms(const struct slot_conn *conn)
{
	return conn != NULL ? conn->left_ms : 0;
}
