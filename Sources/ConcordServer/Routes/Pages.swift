import ConcordCore
import HTTPTypes
import HummingbirdCore

enum PageRoutes {
    static let page = Route(
        get: "/", summary: "A page that captions a picture and compares it with texts.", access: .open,
        responses: [("text/html", ["type": "string"])], handler: { _ in .page(DemoPage.html) })

    static let docs = Route(
        get: "/docs", summary: "This description as a page.", access: .open,
        responses: [("text/html", ["type": "string"])], handler: { _ in .page(DocumentationPage.html) })

    static func openAPI(of routes: [Route]) -> Route {
        let text = Array(OpenAPIDocument.make(routes).text().utf8)
        return Route(
            get: "/openapi.json", summary: "The description of this server, OpenAPI 3.1.", access: .open,
            handler: { _ in .bytes(text, type: "application/json") })
    }
}

/// The page at `/`: drop an image, get its caption and how it matches typed texts. It loads nothing from elsewhere.
enum DemoPage {
    static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Concord</title>
        <style>
        :root { color-scheme: light dark; --line: #8884; --strong: #2a6fdb; }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.4rem; margin: 0 0 1rem; }
        h1 a { font-size: .9rem; font-weight: normal; margin-left: 1rem; color: var(--strong); }
        main { display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; }
        @media (max-width: 40rem) { main { grid-template-columns: 1fr; } }
        #drop { border: 2px dashed var(--line); border-radius: 12px; min-height: 16rem; display: grid;
          place-items: center; padding: 1rem; text-align: center; cursor: pointer; }
        #drop.over { border-color: var(--strong); }
        #drop img { max-width: 100%; max-height: 20rem; border-radius: 6px; }
        label { display: block; font-weight: 600; margin: .8rem 0 .2rem; }
        textarea, select, input[type=password] { width: 100%; box-sizing: border-box; font: inherit; padding: .4rem .5rem;
          border: 1px solid var(--line); border-radius: 6px; }
        button { font: inherit; font-weight: 600; padding: .5rem 1.4rem; margin-top: 1rem; border: 0; border-radius: 6px;
          background: var(--strong); color: white; cursor: pointer; }
        button:disabled { opacity: .5; cursor: default; }
        #caption { font-size: 1.25rem; min-height: 1.9rem; margin: 1.2rem 0 .5rem; }
        table { border-collapse: collapse; width: 100%; }
        td { padding: .25rem .4rem; border-bottom: 1px solid var(--line); }
        td.bar { width: 40%; } td.bar div { height: .7rem; background: var(--strong); border-radius: 3px; }
        td.number { text-align: right; font-variant-numeric: tabular-nums; }
        #timings { color: #888; font-size: .9rem; margin-top: .8rem; }
        .error { color: #c0392b; }
        </style>
        </head>
        <body>
        <h1>Concord <a href="docs">API</a></h1>
        <main>
          <div id="drop" tabindex="0" role="button" aria-label="Choose a picture">
            <span id="hint">Drop a picture here, or click to choose one</span>
            <input type="file" id="picture" accept="image/jpeg,image/png,image/webp,image/gif" hidden>
          </div>
          <div>
            <label for="model">Model</label>
            <select id="model"></select>
            <label for="texts">Texts, one a line</label>
            <textarea id="texts" rows="5" placeholder="a red apple&#10;a dog on a beach"></textarea>
            <div id="key-row" hidden><label for="key">Key</label><input type="password" id="key" autocomplete="off"></div>
            <button id="run" disabled>Run</button>
          </div>
        </main>
        <div id="caption" aria-live="polite"></div>
        <table id="similarities"></table>
        <div id="timings"></div>
        <script>
        "use strict";
        const $ = id => document.getElementById(id);
        let picture = null, models = [];
        function headers() { const key = $("key").value.trim(); return key ? {Authorization: "Bearer " + key} : {}; }
        async function call(path, form) {
          const start = performance.now();
          const reply = await fetch(path, form ? {method: "POST", body: form, headers: headers()} : {headers: headers()});
          if (reply.status === 401) $("key-row").hidden = false;
          const body = await reply.json();
          if (!reply.ok) {
            const detail = body.detail ? body.detail.map(d => d.msg).join(" ") : body.error && body.error.message;
            throw new Error(detail || "The server answered " + reply.status + ".");
          }
          return {body, milliseconds: performance.now() - start};
        }
        async function loadModels() {
          try {
            models = (await call("v1/models")).body.data;
            $("model").replaceChildren(...models.map(m => new Option(m.id + (m.state === "ready" ? "" : " (" + m.state + ")"), m.id)));
          } catch (error) { show("caption", error.message, true); }
        }
        function show(id, text, isError) { $(id).textContent = text; $(id).className = isError ? "error" : ""; }
        function choose(file) {
          if (!file) return;
          picture = file;
          const image = document.createElement("img");
          image.src = URL.createObjectURL(file);
          image.onload = () => URL.revokeObjectURL(image.src);
          image.alt = "The chosen picture";
          const old = $("drop").querySelector("img");
          if (old) old.remove();
          $("hint").hidden = true;
          $("drop").append(image);
          $("run").disabled = false;
        }
        async function run() {
          $("run").disabled = true;
          show("caption", ""); show("timings", ""); $("similarities").replaceChildren();
          const times = [];
          const name = $("model").value, model = models.find(m => m.id === name);
          const form = () => { const f = new FormData(); f.append("image", picture); if (name) f.append("model", name); return f; };
          try {
            if (!model || model.captions) {
              const {body, milliseconds} = await call("generate_caption", form());
              show("caption", body.caption);
              times.push("caption " + milliseconds.toFixed(0) + " ms");
            } else { show("caption", "This model does not caption."); }
            const texts = $("texts").value.split("\n").map(t => t.trim()).filter(t => t);
            if (texts.length) {
              const f = form();
              texts.forEach(t => f.append("texts", t));
              const {body, milliseconds} = await call("similarity", f);
              times.push("similarity " + milliseconds.toFixed(0) + " ms");
              const rows = texts.map((text, i) => ({text, value: body.similarities[0][i]})).sort((a, b) => b.value - a.value);
              const top = Math.max(...rows.map(r => Math.abs(r.value)), 1e-9);
              for (const {text, value} of rows) {
                const row = $("similarities").insertRow();
                row.insertCell().textContent = text;
                const bar = row.insertCell(); bar.className = "bar";
                const fill = document.createElement("div");
                fill.style.width = Math.max(0, value / top * 100) + "%";
                bar.append(fill);
                const number = row.insertCell(); number.className = "number"; number.textContent = value.toFixed(4);
              }
            }
          } catch (error) { show("caption", error.message, true); }
          show("timings", times.join(" · "));
          $("run").disabled = false;
        }
        const drop = $("drop");
        drop.addEventListener("click", event => { if (event.target !== $("picture")) $("picture").click(); });
        drop.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") $("picture").click(); });
        for (const name of ["dragenter", "dragover"])
          drop.addEventListener(name, event => { event.preventDefault(); drop.classList.add("over"); });
        for (const name of ["dragleave", "drop"])
          drop.addEventListener(name, event => { event.preventDefault(); drop.classList.remove("over"); });
        drop.addEventListener("drop", event => choose(event.dataTransfer.files[0]));
        $("picture").addEventListener("change", () => choose($("picture").files[0]));
        $("run").addEventListener("click", run);
        $("key").addEventListener("change", loadModels);
        loadModels();
        </script>
        </body>
        </html>
        """#
}

/// The page at `/docs`: it shows what `/openapi.json` says, without help from another host.
enum DocumentationPage {
    static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Concord: API</title>
        <style>
        :root { color-scheme: light dark; --line: #8884; --strong: #2a6fdb; }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.4rem; } h1 a { font-size: .9rem; font-weight: normal; margin-left: 1rem; color: var(--strong); }
        details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
        summary { cursor: pointer; }
        .method { display: inline-block; width: 3.6rem; font-weight: 700; color: var(--strong); }
        .path { font-family: ui-monospace, monospace; } .text { color: #888; display: block; margin-left: 3.6rem; }
        pre { overflow-x: auto; background: #8881; border-radius: 6px; padding: .6rem; font-size: .85rem; }
        h3 { font-size: .95rem; margin: .8rem 0 .2rem; }
        </style>
        </head>
        <body>
        <h1>Concord: API <a href="openapi.json">openapi.json</a><a href="./">Page</a></h1>
        <div id="routes"></div>
        <script>
        "use strict";
        function element(name, text, className) {
          const made = document.createElement(name);
          if (text !== undefined) made.textContent = text;
          if (className) made.className = className;
          return made;
        }
        function contents(parent, title, content) {
          for (const [type, body] of Object.entries(content || {})) {
            parent.append(element("h3", title + " " + type), element("pre", JSON.stringify(body.schema, null, 2)));
          }
        }
        fetch("openapi.json").then(reply => reply.json()).then(description => {
          for (const [path, operations] of Object.entries(description.paths)) {
            for (const [method, operation] of Object.entries(operations)) {
              const details = element("details"), summary = element("summary");
              summary.append(element("span", method.toUpperCase(), "method"), element("span", path, "path"),
                element("span", operation.summary, "text"));
              details.append(summary);
              if (operation.security) details.append(element("p", "Needs a key where the server asks for keys."));
              if (operation.parameters) details.append(
                element("h3", "Parameters"), element("pre", JSON.stringify(operation.parameters, null, 2)));
              contents(details, "Takes", operation.requestBody && operation.requestBody.content);
              for (const [status, reply] of Object.entries(operation.responses)) {
                if (status === "200") contents(details, "Gives", reply.content);
                else details.append(element("h3", status + " " + reply.description));
              }
              document.getElementById("routes").append(details);
            }
          }
        });
        </script>
        </body>
        </html>
        """#
}
