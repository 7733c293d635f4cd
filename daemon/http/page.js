// Keeps the page up to date from status.json, and filters and sorts it.  What names and labels say
// goes in as text only, never as markup.
"use strict";
(() => {
	const EVERY = 1000;             // ms from one answer to the next request
	const $ = id => document.getElementById(id);
	const table = $("groups");
	const rows = new Map();         // name -> row
	let sort = {key: "group", up: true};
	let last = null;                // the status before, for rates
	let timer = 0;

	// ---------------------------------------------------------------- texts

	function duration(ms) {
		const s = Math.floor(ms / 1000);
		if (ms < 1000)
			return `${Math.max(0, ms)} ms`;
		if (s < 60)
			return `${s}.${Math.floor(ms % 1000 / 100)} s`;
		if (s < 3600)
			return `${Math.floor(s / 60)} min ${s % 60} s`;
		if (s < 86400)
			return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
		return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
	}

	const orDash = (value, text = String) => value === null ? "–" : text(value);

	function rate(perSecond) {
		return perSecond > 0 && perSecond < 10 ? `${perSecond.toFixed(1)}/s` : `${Math.round(perSecond)}/s`;
	}

	function share(used, limit) {
		if (limit === null || used === 0)
			return 0;
		return used >= limit ? 100 : Math.round(1000 * used / limit) / 10;
	}

	function classOf(group) {
		if (group.limit !== null && group.used > group.limit)
			return "over";
		if (group.waiting > 0)
			return "waits";
		return group.limit !== null && group.used === group.limit ? "full" : "free";
	}

	// Letters of no width by which what follows is shown in another order, as bytes.
	const shown = text => text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, encodeURIComponent);

	// What has not changed is not touched: it may be selected, or read aloud.
	function say(element, text) {
		text = String(text);
		if (element.textContent !== text)
			element.textContent = text;
	}

	function set(element, name, value) {
		value = String(value);
		if (element.getAttribute(name) !== value)
			element.setAttribute(name, value);
	}

	function make(name, text, parent, className) {
		const element = document.createElement(name);
		if (text !== undefined)
			element.textContent = text;
		if (className)
			element.className = className;
		parent.append(element);
		return element;
	}

	// ---------------------------------------------------------------- rows

	function adopt(body) {
		const find = name => body.querySelector(name);
		const row = {
			body, name: body.dataset.group, details: find("details"), notes: find(".notes"),
			used: find(".bar .used"), here: find(".bar .here"), count: find(".count"),
			waiting: find("td.waiting"), oldest: find("td.oldest"), grants: find("td.grants"),
			lists: find(".lists > td"), group: null, rate: 0,
		};
		row.details.addEventListener("toggle", () => showLists(row));
		rows.set(row.name, row);
		return row;
	}

	function add(name) {
		const body = $("row").content.firstElementChild.cloneNode(true);
		body.dataset.group = name;
		body.querySelector(".name").textContent = shown(name);
		table.append(body);
		return adopt(body);
	}

	function list(parent, caption, heads, entries, cells, more, group) {
		const frame = make("div", undefined, parent, "list");
		const inner = make("table", undefined, frame);
		make("caption", caption, inner);
		const head = make("tr", undefined, make("thead", undefined, inner));
		for (const text of heads)
			make("th", text, head).scope = "col";
		const body = make("tbody", undefined, inner);
		for (const entry of entries) {
			const line = make("tr", undefined, body);
			cells(entry).forEach((text, i) => {
				if (i === 1)
					make("bdi", shown(text), make("td", undefined, line, "label"));
				else
					make("td", text, line);
			});
		}
		if (more > 0)
			make("a", `and ${more} more`, make("p", undefined, frame)).href =
			    "?group=" + encodeURIComponent(group);
	}

	// Only of rows that are open: most are not.  Where there are many groups, the lists of one have
	// to be asked for.
	async function showLists(row) {
		let group = row.group;
		if (!row.details.open || group === null)
			return;
		if (group.holders.length + group.waiters.length === 0 &&
		    group.holders_more + group.waiters_more > 0) {
			const status = await ask("?group=" + encodeURIComponent(group.group)).catch(() => null);
			if (status === null)
				return;
			group = status.groups[0];
		}
		const selection = document.getSelection();
		if (selection && !selection.isCollapsed && row.lists.contains(selection.anchorNode))
			return;
		const all = document.createDocumentFragment();
		if (group.held + group.open === 0 && group.waiting === 0)
			make("p", "Nobody on this host holds or waits.", all);
		if (group.held + group.open > 0)
			list(all, "Holders", ["Slot", "Label", "Pid", "Uid", "Held for", "Proven", "Token"],
			    group.holders, h => [h.slot, h.label, orDash(h.pid), h.uid, duration(h.age_ms),
				h.proven ? "yes" : "no", h.token], group.holders_more, group.group);
		if (group.waiting > 0)
			list(all, "Waiters", ["Place", "Label", "Pid", "Uid", "Waits for", "Slots", "Gives up in"],
			    group.waiters, w => [w.place, w.label, orDash(w.pid), w.uid, duration(w.age_ms), w.n,
				orDash(w.left_ms, duration)], group.waiters_more, group.group);
		row.lists.replaceChildren(all);
	}

	function show(row, group, seconds) {
		const notes = [];
		const before = row.group;
		row.group = group;
		row.rate = before && seconds > 0 && group.grants !== null && before.grants !== null ?
			Math.max(0, group.grants - before.grants) / seconds : 0;
		set(row.body, "class", "group " + classOf(group));
		set(row.used, "width", share(group.used, group.limit));
		set(row.here, "width", share(group.held, group.limit));
		say(row.count, `${group.used} / ${orDash(group.limit)}`);
		say(row.waiting, group.waiting);
		say(row.oldest, orDash(group.oldest_wait_ms, duration));
		say(row.grants, orDash(group.grants) + (before && seconds > 0 ? ` · ${rate(row.rate)}` : ""));
		if (group.live !== null)
			notes.push(shown((group.paused ? "paused" : "limit set") +
				(group.live.by ? ` by ${group.live.by}` : "") +
				(group.live.why ? `: ${group.live.why}` : "") +
				(group.live.left_ms !== null ? `, for another ${duration(group.live.left_ms)}` : "")));
		if (group.unproven > 0)
			notes.push(`${group.unproven} unproven`);
		if (group.open > 0)
			notes.push(`${group.open} without a slot`);
		if (group.hosts_differ > 0)
			notes.push("hosts differ");
		if (notes.join("\n") !== [...row.notes.children].map(n => n.textContent).join("\n")) {
			row.notes.replaceChildren();
			for (const note of notes)
				make("span", note, row.notes);
		}
		showLists(row);
	}

	// ---------------------------------------------------------------- filter and order

	const KEYS = {
		group: row => row.name,
		use: row => share(row.group.used, row.group.limit),
		waiting: row => row.group.waiting,
		oldest: row => row.group.oldest_wait_ms || 0,
		grants: row => row.rate,
	};

	function byName(a, b) {
		return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
	}

	function arrange() {
		const wanted = $("filter").value.trim().toLowerCase();
		const key = KEYS[sort.key];
		const ordered = [...rows.values()].sort((a, b) => {
			const x = key(a), y = key(b);
			const order = x < y ? -1 : x > y ? 1 : 0;
			return (sort.up ? order : -order) || byName(a, b);
		});
		let place = table.tHead, n = 0;
		for (const row of ordered) {
			const hidden = wanted !== "" && !row.name.toLowerCase().includes(wanted);
			if (row.body.hidden !== hidden)
				row.body.hidden = hidden;
			if (!hidden)
				n++;
			if (place.nextElementSibling !== row.body)
				place.after(row.body);
			place = row.body;
		}
		const all = rows.size === 1 ? "1 group" : `${rows.size} groups`;
		say($("shown"), wanted === "" ? all : `${n} of ${all}`);
		for (const head of table.tHead.rows[0].cells)
			if (head.dataset.key === sort.key)
				set(head, "aria-sort", sort.up ? "ascending" : "descending");
			else
				head.removeAttribute("aria-sort");
	}

	// Names are sorted upwards at first, numbers downwards.
	function sortBy(key) {
		sort = {key, up: sort.key === key ? !sort.up : key === "group"};
		arrange();
	}

	// ---------------------------------------------------------------- refresh

	function state(isReady, text) {
		set($("state"), "class", isReady ? "ready" : "unready");
		say($("state"), text);
	}

	function update(status) {
		const seconds = last ? (status.uptime_ms - last.uptime_ms) / 1000 : 0;
		const seen = new Set();
		state(status.ready, status.why);
		say($("backend"), status.backend === "redis" ? `Redis, ${status.backend_state}` : status.backend);
		say($("holds"), status.holds);
		say($("waiters"), status.waiters);
		say($("clients"), `${status.clients} of ${status.max_clients}`);
		say($("grants"), status.grants + (seconds > 0 ?
			` · ${rate(Math.max(0, status.grants - last.grants) / seconds)}` : ""));
		say($("uptime"), duration(status.uptime_ms));
		say($("version"), status.version);
		for (const group of status.groups) {
			seen.add(group.group);
			show(rows.get(group.group) || add(group.group), group, seconds);
		}
		for (const [name, row] of rows)
			if (!seen.has(name)) {
				row.body.remove();
				rows.delete(name);
			}
		$("none").hidden = rows.size > 0;
		$("more").hidden = status.groups_more === 0;
		say($("more"), `and ${status.groups_more} more, which are less busy`);
		say($("time"), "as of " + new Date(status.time * 1000).toLocaleTimeString());
		last = status;
		arrange();
	}

	async function ask(query) {
		const answer = await fetch("status.json" + query, {cache: "no-store"});
		if (!answer.ok)
			throw new Error(`status ${answer.status}`);
		return answer.json();
	}

	async function refresh() {
		const began = performance.now();
		timer = 0;
		try {
			update(await ask(location.search));
		} catch (error) {
			state(false, `slotd cannot be reached (${error.message}); this is what it said last`);
		}
		later(Math.max(EVERY, 10 * (performance.now() - began)));
	}

	function later(ms) {
		clearTimeout(timer);
		timer = 0;
		if ($("live").checked && !document.hidden)
			timer = setTimeout(refresh, ms);
	}

	for (const body of table.tBodies)
		adopt(body);
	for (const head of table.tHead.rows[0].cells) {
		const button = document.createElement("button");
		button.type = "button";
		button.textContent = head.textContent;
		button.addEventListener("click", () => sortBy(head.dataset.key));
		head.replaceChildren(button);
	}
	$("filter").addEventListener("input", arrange);
	$("live").addEventListener("change", () => later(0));
	document.addEventListener("visibilitychange", () => later(0));
	$("tools").hidden = false;
	refresh();
})();
