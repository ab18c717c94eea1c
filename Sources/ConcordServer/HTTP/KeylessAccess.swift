import HTTPTypes
import HummingbirdCore

/// Who may use a server that asks for no key: programs of this machine, but no page of the web that a browser on it
/// shows.
///
/// A page can have its own name lead to this machine (DNS rebinding), which the field `Host` gives away; and it can
/// send a form to any address, which the field `Origin` gives away.
struct KeylessAccess: Sendable {
    /// What the server is called beside addresses and `localhost`; `*` for anything.
    let names: [String]
    let crossOrigin: CrossOrigin

    func check(_ request: Request) throws(RequestFailure) {
        let authority = request.head.authority.flatMap { $0.isEmpty ? nil : $0 }
        guard authority.map(isOwn) ?? true else {
            throw RequestFailure(
                status: .forbidden,
                message: "Without keys this server answers to addresses and localhost only, not to the host of this "
                    + "request; its setting host_names adds names.",
                type: "permission_error", code: "host_not_allowed")
        }
        guard ![.get, .head, .options].contains(request.method), let origin = request.headers[.origin] else { return }
        let isSame = authority.map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
        guard isSame || crossOrigin.allows(origin) else {
            throw RequestFailure(
                status: .forbidden,
                message: "Without keys this server takes nothing from pages of other hosts; its setting cross_origins "
                    + "names those that may.",
                type: "permission_error", code: "origin_not_allowed")
        }
    }

    /// Whether `HOST[:PORT]` is an address, which no name server can give to another page, or a name of the server's.
    private func isOwn(_ authority: String) -> Bool {
        var host = authority.lowercased()
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            host = String(host[..<end].dropFirst())
        } else if let colon = host.lastIndex(of: ":") {
            host = String(host[..<colon])
        }
        return host == "localhost" || host.hasSuffix(".localhost") || InternetAddress(host) != nil
            || names.contains { $0 == "*" || $0.lowercased() == host }
    }
}
