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
