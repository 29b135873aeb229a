/*
    Keeps a page true while something moves. It asks for the page again every few seconds, with the
    tag of what it shows, and changes what differs in the elements marked data-durable-live, in
    place: scroll, focus, selection, what is unfolded and what has been typed stay. Without it, or
    before it runs, the page is whole.
*/
"use strict";
(() => {
    const SLOWEST = 60;
    let box = document.getElementById("durable-live");
    if (!box || !window.fetch || !window.DOMParser) return;
    const says = document.getElementById("durable-live-says");
    let tag = null, timer = 0, failures = 0, paused = false, busy = false, stopped = false;
    let ahead = new Date(box.dataset.now) - Date.now();

    // The line that tells, and the button.

    const line = document.createElement("div");
    const pulse = line.appendChild(document.createElement("span"));
    const text = line.appendChild(document.createElement("span"));
    const button = line.appendChild(document.createElement("button"));
    line.className = "durable-live";
    line.id = "durable-live-line";
    pulse.className = "durable-pulse";
    button.type = "button";
    button.className = "durable-tool";
    box.after(line);
    button.addEventListener("click", () => {
        paused = !paused;
        tell();
        if (paused) clearTimeout(timer);
        else poll();
    });

    function word(name) {
        return box.dataset["word" + name] || "";
    }

    function seconds() {
        return Number(box.dataset.seconds) || 0;
    }

    function tell() {
        const ended = !seconds();
        line.hidden = ended && !line.dataset.moved;
        line.classList.toggle("durable-live-off", paused || ended || stopped);
        button.hidden = ended || stopped;
        button.textContent = word(paused ? "Resume" : "Pause");
        const state = stopped ? "Gone" : ended ? "End" : paused ? "Off" : failures ? "Lost" : "On";
        if (text.textContent !== word(state)) text.textContent = word(state);
    }

    // Asking.

    function later() {
        clearTimeout(timer);
        if (paused || stopped || !seconds() || document.hidden) return;
        const wait = Math.min(seconds() * 2 ** Math.min(failures, 8), Math.max(SLOWEST, seconds()));
        timer = setTimeout(poll, wait * 1000);
    }

    async function poll() {
        if (busy || paused || stopped || document.hidden) return;
        busy = true;
        try {
            const headers = {"Durable-Live": "1"};
            if (tag) headers["If-None-Match"] = tag;
            const answer = await fetch(location.href, {headers, cache: "no-store"});
            const gone = answer.redirected || [401, 403, 404].includes(answer.status);
            if (gone) stopped = true;
            else if (answer.status !== 304 && !answer.ok) throw new Error(String(answer.status));
            else if (answer.ok) await take(answer);
            failures = 0;
        } catch {
            failures += 1;
        }
        busy = false;
        tell();
        later();
    }

    async function take(answer) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("durable-live");
        if (!fresh) {
            stopped = true;
            return;
        }
        if (paused) return;
        ahead = new Date(fresh.dataset.now) - Date.now();
        const told = box.dataset.says;
        let complete = true;
        const found = parts(page);
        for (const [key, part] of parts(document)) {
            const other = found.get(key);
            if (!other) continue;
            // What somebody is about to copy stays until they have.
            if (isSelected(part)) complete = false;
            else morph(part, other);
        }
        tag = complete ? answer.headers.get("ETag") : null;
        box = document.getElementById("durable-live");
        line.dataset.moved = "1";
        if (box.dataset.says !== told) says.textContent = box.dataset.says;
        refreshTimes();
        document.dispatchEvent(new CustomEvent("durable:updated"));
    }

    // data-durable-live-list stands in an entry of a list of which the whole is meant.
    function parts(page) {
        const found = new Map();
        for (const part of page.querySelectorAll("[data-durable-live], [data-durable-live-list]")) {
            const list = part.dataset.durableLiveList;
            found.set(list || part.dataset.durableLive, list ? part.parentElement : part);
        }
        return found;
    }

    function isSelected(part) {
        const selection = window.getSelection();
        if (!selection || selection.isCollapsed || !selection.rangeCount) return false;
        return selection.getRangeAt(0).intersectsNode(part);
    }

    // Changing one tree into another, node by node.

    const MINE = new Set(["open", "value", "checked", "selected", "data-durable-mine"]);

    function morph(old, fresh) {
        if (old.nodeType !== Node.ELEMENT_NODE) {
            if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
            return;
        }
        if (old.isEqualNode(fresh)) return;
        const isField = /^(INPUT|TEXTAREA|SELECT|OPTION)$/.test(old.nodeName);
        for (const {name, value} of fresh.attributes) {
            if (MINE.has(name) && (isField || old.nodeName === "DETAILS")) continue;
            if (old.getAttribute(name) !== value) old.setAttribute(name, value);
        }
        for (const {name} of [...old.attributes]) {
            if (!MINE.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
        }
        if (old.nodeName !== "TEXTAREA" && old.nodeName !== "SELECT") children(old, fresh);
    }

    function keyOf(node) {
        if (node.nodeType !== Node.ELEMENT_NODE) return "";
        return node.id || node.dataset.key || "";
    }

    function alike(one, other) {
        return one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
    }

    function children(old, fresh) {
        const keyed = new Map();
        for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
        let at = old.firstChild;
        for (const child of [...fresh.childNodes]) {
            while (at && at.nodeType === Node.ELEMENT_NODE && "durableMine" in at.dataset) {
                at = at.nextSibling;
            }
            const known = keyOf(child) && keyed.get(keyOf(child));
            if (known && alike(known, child)) {
                if (known === at) at = at.nextSibling;
                else old.insertBefore(known, at);
                morph(known, child);
            } else if (at && alike(at, child)) {
                const next = at.nextSibling;
                morph(at, child);
                at = next;
            } else {
                old.insertBefore(document.importNode(child, true), at);
            }
        }
        while (at) {
            const next = at.nextSibling;
            const isMine = at.nodeType === Node.ELEMENT_NODE && "durableMine" in at.dataset;
            if (!isMine) at.remove();
            at = next;
        }
    }

    // Relative times: the same words as the server's.

    function fill(pattern, values) {
        return pattern.replace(/%\((\w+)\)s/g, (all, name) => values[name]);
    }

    function length(s) {
        if (s < 60) return fill(word("S"), {n: s});
        if (s < 3600) return fill(word("M"), {m: Math.floor(s / 60), s: s % 60});
        const hours = {h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60)};
        if (s < 86400) return fill(word("H"), hours);
        return fill(word("D"), {d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600)});
    }

    function refreshTimes() {
        const now = Date.now() + ahead;
        for (const time of document.querySelectorAll("time[data-relative]")) {
            const passed = (now - new Date(time.dateTime)) / 1000;
            const size = Math.floor(Math.abs(passed));
            const how = word(passed < 0 ? "In" : "Ago");
            const said = size < 1 ? word("Now") : fill(how, {time: length(size)});
            if (time.textContent !== said) time.textContent = said;
        }
    }

    document.addEventListener("visibilitychange", () => {
        if (document.hidden) clearTimeout(timer);
        else if (seconds()) poll();
        else refreshTimes();
    });
    setInterval(() => document.hidden || paused || isSelected(document.body) || refreshTimes(), 1000);
    tell();
    later();
})();
