/*
    What makes the page of a run handier: logs filtered while one types, values copied, all unfolded
    at once. Each control is hidden until it works; nothing here is needed to read the page.
*/
"use strict";
(() => {
    const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

    // The form of the steps: the server filters as well, when it is sent.

    function filterLogs() {
        const form = document.querySelector("form[data-durable-logs]");
        if (!form || !form.elements.q) return;  // another tab
        const least = LEVELS.indexOf(form.elements.level.value);
        const wanted = form.elements.q.value.trim().toLocaleLowerCase();
        for (const logs of document.querySelectorAll(".durable-logs")) {
            let shown = 0;
            for (const line of logs.querySelectorAll("li")) {
                const level = LEVELS.indexOf(line.dataset.level);
                const fits = level < 0 || level >= least;
                const says = !wanted || line.textContent.toLocaleLowerCase().includes(wanted);
                line.hidden = !(fits && says);
                if (!line.hidden) shown += 1;
            }
            logs.classList.toggle("durable-logs-none", !shown);
            if (wanted && shown) logs.open = true;
        }
    }

    function unfoldAll(button) {
        const part = button.closest("section") || document;
        const all = [...part.querySelectorAll("details")];
        const open = !all.every((details) => details.open);
        for (const details of all) details.open = open;
    }

    async function copy(button) {
        const from = document.getElementById(button.dataset.durableCopy);
        if (!from) return;
        await navigator.clipboard.writeText(from.textContent);
        const said = button.textContent;
        button.textContent = button.dataset.done;
        setTimeout(() => { button.textContent = said; }, 1500);
    }

    function ready() {
        for (const button of document.querySelectorAll("[data-durable-unfold]")) button.hidden = false;
        if (navigator.clipboard) {
            for (const button of document.querySelectorAll("[data-durable-copy]")) button.hidden = false;
        }
        filterLogs();
    }

    document.addEventListener("click", (event) => {
        const button = event.target.closest("[data-durable-unfold], [data-durable-copy]");
        if (!button) return;
        if ("durableCopy" in button.dataset) copy(button);
        else unfoldAll(button);
    });
    document.addEventListener("input", (event) => {
        if (event.target.form && "durableLogs" in event.target.form.dataset) filterLogs();
    });
    document.addEventListener("durable:updated", ready);
    ready();
})();
