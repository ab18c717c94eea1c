import ConcordCore
import HTTPTypes
import HummingbirdCore

enum PageRoutes {
    static let page = Route(
        get: "/", summary: "A page that captions an image and scores texts against it.", access: .open,
        responses: [("text/html", ["type": "string"])], handler: { _ in .page(DemoPage.html) })

    static let docs = Route(
        get: "/docs", summary: "The API documentation as a page.", access: .open,
        responses: [("text/html", ["type": "string"])], handler: { _ in .page(DocumentationPage.html) })

    static func openAPI(of routes: [Route]) -> Route {
        let text = Array(OpenAPIDocument.make(routes).text().utf8)
        return Route(
            get: "/openapi.json", summary: "The API description, OpenAPI 3.1.", access: .open,
            handler: { _ in .bytes(text, type: "application/json") })
    }
}

/// The page at `/`: choose an image, read its caption and see how well typed texts match it.
///
/// Everything is in the document itself; it loads nothing from another host.
enum DemoPage {
    static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Concord: image captions and image–text similarity</title>
        <style>
        \#(PageStyle.sheet)
        main { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; }
        @media (max-width: 44rem) { main { grid-template-columns: 1fr; } }
        #drop { display: grid; place-items: center; min-height: 18rem; border: 2px dashed var(--line);
          color: var(--muted); text-align: center; cursor: pointer; }
        #drop:hover, #drop:focus-visible, #drop.over { border-color: var(--accent); outline: none; }
        #drop.over { background: var(--soft); }
        #drop img { max-width: 100%; max-height: 22rem; border-radius: 6px; }
        label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
        label:first-child { margin-top: 0; }
        label span { color: var(--muted); font-weight: 400; }
        textarea, select, input { width: 100%; padding: .5rem .6rem; font: inherit; color: inherit;
          background: var(--page); border: 1px solid var(--line); border-radius: 8px; }
        textarea { resize: vertical; }
        button { margin-top: 1.25rem; padding: .55rem 1.5rem; border: 0; border-radius: 8px; font: inherit;
          font-weight: 600; color: var(--card); background: var(--accent); cursor: pointer; }
        button:disabled { opacity: .5; cursor: default; }
        #results { grid-column: 1 / -1; }
        h2 { margin: 0 0 .25rem; font-size: .875rem; font-weight: 600; color: var(--muted); }
        #caption { min-height: 2rem; margin: 0 0 1rem; font-size: 1.35rem; line-height: 1.4; overflow-wrap: anywhere; }
        #caption.note { font-size: 1rem; color: var(--muted); }
        #caption.error { font-size: 1rem; color: var(--bad); }
        table { width: 100%; border-collapse: collapse; }
        th { padding: .3rem .5rem .3rem 0; text-align: left;
          font-size: .875rem; font-weight: 600; color: var(--muted); }
        td { padding: .4rem .5rem .4rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
        th.number, td.number { padding-right: 0; text-align: right; font-variant-numeric: tabular-nums; }
        td.bar { width: 40%; }
        td.bar div { height: .6rem; border-radius: 99px; background: var(--accent); }
        #timings { margin: 1rem 0 0; color: var(--muted); font-size: .875rem; }
        </style>
        </head>
        <body>
        <header>
          <h1>Concord</h1>
          <p>Caption an image and see how well texts match it.</p>
          <nav><a href="docs">API documentation</a></nav>
        </header>
        <main>
          <div id="drop" class="card" tabindex="0" role="button" aria-label="Choose an image">
            <span id="hint">Drop an image here or click to choose one.<br>JPEG, PNG, WebP or GIF</span>
            <input type="file" id="image" accept="image/jpeg,image/png,image/webp,image/gif" hidden>
          </div>
          <div class="card">
            <label for="model">Model</label>
            <select id="model"></select>
            <label for="texts">Texts to compare <span>(one per line, optional)</span></label>
            <textarea id="texts" rows="6" placeholder="a red apple&#10;a dog on a beach"></textarea>
            <div id="key-row" hidden>
              <label for="key">API key <span>(this server requires one)</span></label>
              <input type="password" id="key" autocomplete="off">
            </div>
            <button id="run" disabled>Run</button>
          </div>
          <section id="results" class="card" hidden>
            <h2 id="caption-title">Caption</h2>
            <p id="caption" aria-live="polite"></p>
            <table id="similarities"></table>
            <p id="timings"></p>
          </section>
        </main>
        <footer>Images and texts are sent only to this server.</footer>
        <script>
        "use strict";
        const $ = id => document.getElementById(id);
        let image = null, models = [];
        function headers() {
          const key = $("key").value.trim();
          return key ? {Authorization: "Bearer " + key} : {};
        }
        async function call(path, form) {
          const start = performance.now();
          const options = form ? {method: "POST", body: form, headers: headers()} : {headers: headers()};
          const reply = await fetch(path, options);
          if (reply.status === 401) $("key-row").hidden = false;
          const body = await reply.json();
          if (!reply.ok) {
            const detail = body.detail ? body.detail.map(d => d.msg).join(" ") : body.error && body.error.message;
            throw new Error(detail || "The server answered with status " + reply.status + ".");
          }
          return {body, milliseconds: performance.now() - start};
        }
        function show(id, text, kind) {
          $(id).textContent = text;
          $(id).className = kind || "";
        }
        function fail(error) {
          $("results").hidden = false;
          $("caption-title").textContent = "Error";
          show("caption", error.message, "error");
        }
        async function loadModels() {
          try {
            models = (await call("v1/models")).body.data;
            const title = m => m.id + (m.state === "ready" ? "" : " (" + m.state + ")");
            $("model").replaceChildren(...models.map(m => new Option(title(m), m.id)));
            if ($("caption").className === "error") $("results").hidden = true;
          } catch (error) { fail(error); }
        }
        function choose(file) {
          if (!file) return;
          image = file;
          const preview = document.createElement("img");
          preview.src = URL.createObjectURL(file);
          preview.onload = () => URL.revokeObjectURL(preview.src);
          preview.alt = "The chosen image";
          const old = $("drop").querySelector("img");
          if (old) old.remove();
          $("hint").hidden = true;
          $("drop").append(preview);
          $("run").disabled = false;
        }
        function form(model) {
          const form = new FormData();
          form.append("image", image);
          if (model) form.append("model", model);
          return form;
        }
        function showSimilarities(rows) {
          const head = $("similarities").createTHead().insertRow();
          for (const [title, kind] of [["Text", ""], ["", "bar"], ["Cosine similarity", "number"]]) {
            const cell = document.createElement("th");
            cell.textContent = title; cell.className = kind;
            head.append(cell);
          }
          const body = $("similarities").createTBody();
          const top = Math.max(...rows.map(row => Math.abs(row.value)), 1e-9);
          for (const {text, value} of rows) {
            const row = body.insertRow();
            row.insertCell().textContent = text;
            const bar = row.insertCell(); bar.className = "bar";
            const fill = document.createElement("div");
            fill.style.width = Math.max(0, value / top * 100) + "%";
            bar.append(fill);
            const number = row.insertCell(); number.className = "number"; number.textContent = value.toFixed(4);
          }
        }
        async function run() {
          $("run").disabled = true;
          $("results").hidden = false;
          $("caption-title").textContent = "Caption";
          show("caption", "…", "note"); show("timings", ""); $("similarities").replaceChildren();
          const times = [];
          const name = $("model").value, model = models.find(m => m.id === name);
          try {
            if (!model || model.captions) {
              const {body, milliseconds} = await call("generate_caption", form(name));
              show("caption", body.caption);
              times.push("caption: " + milliseconds.toFixed(0) + " ms");
            } else { show("caption", "This model does not write captions.", "note"); }
            const texts = $("texts").value.split("\n").map(text => text.trim()).filter(text => text);
            if (texts.length) {
              const request = form(name);
              texts.forEach(text => request.append("texts", text));
              const {body, milliseconds} = await call("similarity", request);
              times.push("similarity: " + milliseconds.toFixed(0) + " ms");
              const rows = texts.map((text, i) => ({text, value: body.similarities[0][i]}));
              showSimilarities(rows.sort((a, b) => b.value - a.value));
            }
          } catch (error) { fail(error); }
          show("timings", times.join(" · "));
          $("run").disabled = false;
        }
        const drop = $("drop");
        drop.addEventListener("click", event => { if (event.target !== $("image")) $("image").click(); });
        drop.addEventListener("keydown", event => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          $("image").click();
        });
        for (const name of ["dragenter", "dragover"])
          drop.addEventListener(name, event => { event.preventDefault(); drop.classList.add("over"); });
        for (const name of ["dragleave", "drop"])
          drop.addEventListener(name, event => { event.preventDefault(); drop.classList.remove("over"); });
        drop.addEventListener("drop", event => choose(event.dataTransfer.files[0]));
        $("image").addEventListener("change", () => choose($("image").files[0]));
        $("run").addEventListener("click", run);
        $("key").addEventListener("change", loadModels);
        loadModels();
        </script>
        </body>
        </html>
        """#
}

/// The page at `/docs`: the contents of `/openapi.json`, without help from another host.
enum DocumentationPage {
    static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Concord: API documentation</title>
        <style>
        \#(PageStyle.sheet)
        details { margin: .6rem 0; padding: .7rem 1rem; }
        summary { display: grid; grid-template-columns: 4rem 1fr; gap: 0 .5rem; cursor: pointer; list-style: none; }
        summary::-webkit-details-marker { display: none; }
        .method { grid-row: 1 / 3; font-weight: 700; color: var(--accent); }
        .path { font-family: ui-monospace, Menlo, Consolas, monospace; font-weight: 600; overflow-wrap: anywhere; }
        .text { color: var(--muted); }
        h2 { margin: 1rem 0 .25rem; font-size: .9375rem; }
        pre { margin: 0; padding: .75rem; overflow-x: auto; background: var(--page); border-radius: 8px;
          font: .8125rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
        dl { display: grid; grid-template-columns: 4rem 1fr; gap: .15rem .5rem; margin: 0; }
        dt { font-weight: 600; font-variant-numeric: tabular-nums; } dd { margin: 0; color: var(--muted); }
        .error { color: var(--bad); }
        </style>
        </head>
        <body>
        <header>
          <h1>Concord API</h1>
          <p id="about"></p>
          <nav><a href="./">Try it</a><a href="openapi.json">openapi.json</a></nav>
        </header>
        <main id="routes"></main>
        <footer>Select an endpoint to see its parameters, bodies and status codes.</footer>
        <script>
        "use strict";
        function element(name, text, className) {
          const made = document.createElement(name);
          if (text !== undefined) made.textContent = text;
          if (className) made.className = className;
          return made;
        }
        function json(value) { return element("pre", JSON.stringify(value, null, 2)); }
        function bodies(parent, title, content) {
          for (const [type, body] of Object.entries(content || {})) {
            parent.append(element("h2", title + " (" + type + ")"));
            if (body.schema) parent.append(json(body.schema));
          }
        }
        function endpoint(method, path, operation) {
          const details = element("details", undefined, "card"), summary = element("summary");
          summary.append(element("span", method.toUpperCase(), "method"), element("span", path, "path"),
            element("span", operation.summary, "text"));
          details.append(summary);
          if (operation.security) details.append(element("p", "Requires an API key if the server uses keys."));
          if (operation.parameters) details.append(element("h2", "Parameters"), json(operation.parameters));
          bodies(details, "Request body", operation.requestBody && operation.requestBody.content);
          bodies(details, "Response", operation.responses["200"] && operation.responses["200"].content);
          const failures = Object.entries(operation.responses).filter(([status]) => status !== "200");
          if (failures.length) {
            const list = element("dl");
            for (const [status, reply] of failures) {
              list.append(element("dt", status), element("dd", reply.description));
            }
            details.append(element("h2", "Errors"), list);
          }
          return details;
        }
        fetch("openapi.json").then(reply => reply.json()).then(description => {
          document.getElementById("about").textContent = description.info.description;
          for (const [path, operations] of Object.entries(description.paths)) {
            for (const [method, operation] of Object.entries(operations)) {
              document.getElementById("routes").append(endpoint(method, path, operation));
            }
          }
        }).catch(() => {
          document.getElementById("routes").append(element("p", "openapi.json could not be loaded.", "error"));
        });
        </script>
        </body>
        </html>
        """#
}

/// The style that both pages share, in light and dark.
private enum PageStyle {
    static let sheet = """
        :root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --line: #d9dee6; --text: #1b2230;
          --muted: #5d6778; --accent: #2563c9; --soft: #e8effb; --bad: #b42318; }
        @media (prefers-color-scheme: dark) {
          :root { --page: #10141b; --card: #181e28; --line: #2f3948; --text: #e7eaf0; --muted: #98a2b3;
            --accent: #6ea3f7; --soft: #1d2a40; --bad: #f28b82; }
        }
        * { box-sizing: border-box; }
        [hidden] { display: none !important; }
        body { margin: 0; background: var(--page); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
        body > * { max-width: 60rem; margin-inline: auto; padding-inline: 1.25rem; }
        header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1.25rem;
          padding-block: 2rem 1.25rem; }
        h1 { font-size: 1.6rem; line-height: 1.2; letter-spacing: -.01em; margin: 0; }
        header p { flex: 1 1 16rem; margin: 0; color: var(--muted); }
        nav { display: flex; gap: 1rem; }
        a { color: var(--accent); }
        footer { padding-block: 1.5rem 2.5rem; color: var(--muted); font-size: .875rem; }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem; }
        """
}
