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
