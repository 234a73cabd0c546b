// news.js - both pages: entries as they come (server-sent events), forms without leaving the page
"use strict";

const ENTRIES_MAX = 500;               // that stay on the page
const byId = id => document.getElementById(id);
const seen = new Set();
let waiting = [];                      // the notes of forms that were sent and are not known to be stored

function gapEntry(entry) {
	const li = document.createElement("li");
	li.className = "card gap";
	li.textContent = entry.gap;
	return li;
}

function newEntry(entry) {
	const li = byId("entry").content.firstElementChild.cloneNode(true);
	for (const e of li.querySelectorAll("[data-field]")) {
		const value = entry[e.dataset.field];
		if (e.tagName === "INPUT")
			e.value = value;
		else
			e.textContent = value;
	}
	const when = new Date(entry.time), time = li.querySelector("time");
	time.dateTime = when.toISOString();
	time.textContent = when.toLocaleString();
	for (const form of li.querySelectorAll("form"))
		form.addEventListener("submit", send);
	return li;
}

function show(event) {
	const entry = JSON.parse(event.data), key = entry.id + (entry.gap ? "gap" : ""), list = byId("list");
	if (seen.has(key))
		return;
	seen.add(key);
	list.prepend(entry.gap ? gapEntry(entry) : newEntry(entry));
	while (list.childElementCount > ENTRIES_MAX)
		list.lastElementChild.remove();
	byId("none").hidden = true;
	byId("count").textContent = `(${list.childElementCount})`;
}

// what has become of all that was written here: sent (stored by the broker), waiting, failed
function state(event) {
	const s = JSON.parse(event.data);
	const text = { sent: "Sent.", waiting: "On its way.", failed: `Not sent: ${s.text}` }[s.state];
	for (const note of waiting)
		note.textContent = text;
	if (s.state !== "waiting")
		waiting = [];
}

async function send(event) {
	event.preventDefault();
	const form = event.target, note = form.querySelector(".sent"), button = form.querySelector("button");
	button.disabled = true;
	note.textContent = "On its way.";
	waiting.push(note);
	try {
		const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
		if (answer.type !== "opaqueredirect")
			throw new Error(await answer.text());
		for (const e of form.querySelectorAll("textarea, input:not([type=hidden]):not([name=name])"))
			e.value = "";
	} catch (error) {
		waiting = waiting.filter(n => n !== note);
		note.textContent = `Not sent: ${error.message}`;
	}
	button.disabled = false;
}

function live(text, gone) {
	byId("live").textContent = text;
	byId("live").classList.toggle("gone", gone);
}

const events = new EventSource("/events");
events.addEventListener("open", () => {
	live("Live", false);
	byId("none").textContent = byId("none").dataset.none;
});
events.addEventListener("error", () => live("The connection is gone; trying again", true));
events.addEventListener("message", show);
events.addEventListener("state", state);
for (const form of document.forms)
	form.addEventListener("submit", send);
