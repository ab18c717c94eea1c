import ConcordCore
import ConcordPlatform
import NIOCore
import ServiceLifecycle

/// Where a server listens.
struct ListeningAddress: Sendable {
    let host: String
    let port: Int

    /// `HOST:PORT` as URLs have it: an address of IPv6 in brackets.
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// What a failure to listen here means; nil for another failure.
    ///
    /// - Parameter setting: what `server.yaml` calls the port.
    func failure(_ error: any Error, setting: String) -> ConcordError? {
        let advice: String
        switch error {
        case let error as IOError:
            switch error.errnoCode {
            case EADDRINUSE:
                advice =
                    "another program listens there; end that one, or set \(setting) to another number (0 takes a free one)"
            case EACCES:
                advice =
                    "ports below 1024 are the system's; set \(setting) to 1024 or more, or allow this program lower ones"
            case EADDRNOTAVAIL: advice = "it is no address of this machine; 0.0.0.0 is all of them"
            default: advice = String(cString: strerror(error.errnoCode)) + "; choose another address"
            }
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            advice = "there is no host of this name; check it, or give an address"
        default: return nil
        }
        return ConcordError(.unavailable, "cannot listen on \(text): \(advice)")
    }
}

/// A server's port, which says in plain words why it cannot be listened on.
struct ListeningService: Service {
    let server: any Service
    let address: ListeningAddress
    /// What `server.yaml` calls the port.
    let setting: String

    func run() async throws {
        do { try await server.run() } catch { throw address.failure(error, setting: setting) ?? error }
    }
}
