import NIOCore
import NIOHTTP1

/// Answers requests of HTTP/1.0 as such: without chunks, which they do not know, and each on a connection of its own.
///
/// It stands before the types of HTTP in general, which have no version.
final class HTTPVersionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Whether each request that has no whole answer yet is of HTTP/1.0.
    private var areOld = CircularBuffer<Bool>()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let isOld = (head.version.major, head.version.minor) < (1, 1)
        areOld.append(isOld)
        guard isOld else { return context.fireChannelRead(data) }
        // The server closes after its answer, whatever an old client would like.
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        // An old client does not wait to be invited (RFC 9110, 10.1.1).
        head.headers.remove(name: "Expect")
        // It need not name the host. An empty name says the same in HTTP/1.1, where none at all is a mistake.
        if !head.headers.contains(name: "Host") { head.headers.add(name: "Host", value: "") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard areOld.first == true else {
            if case .end = unwrapOutboundIn(data) { _ = areOld.popFirst() }
            return context.write(data, promise: promise)
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            head.version = .http1_0
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            areOld.removeFirst()
            context.write(data, promise: promise)
        }
    }
}

@available(*, unavailable)
extension HTTPVersionHandler: Sendable {}
