import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Watches one connection: gives up bodies that come too slowly and answers that are read too slowly, says
/// `100 Continue`, closes after an answer that came before the body's end, and notices when the client leaves.
///
/// Slow headers are the business of the server's idle timeout, which counts whole parts of a request only.
final class RequestGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct Limits: Sendable {
        /// How long a body may take that brings nothing, and an answer of which nothing is read.
        var bodyTimeout: TimeAmount = .seconds(30)
        /// Bytes a second at which a body, or what is read of an answer, earns more time.
        var bodyBytesPerSecond = 16 << 10
        /// How long what a client still sends is read and forgotten after an early answer, so that it gets to read it.
        var linger: TimeAmount = .seconds(1)
        /// Above this a body is not invited.
        var bodyBytes: Int
    }

    let connection = ClientConnection()
    private let limits: Limits
    private var isReadingRequest = false
    private var isAnswering = false
    /// Whether the request that is being read has its answer already.
    private var isAnswered = false
    /// Requests that have no whole answer yet.
    private var due = 0
    private var bodyStart = NIODeadline.now()
    private var bodyBytes = 0
    private var bodyTimer: Scheduled<Void>?
    private var lingerTimer: Scheduled<Void>?
    private var readingTimer: Scheduled<Void>?

    init(_ limits: Limits) { self.limits = limits }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            isReadingRequest = true
            isAnswered = false
            due += 1
            bodyStart = .now()
            bodyBytes = 0
            scheduleBodyCheck(context, in: limits.bodyTimeout)
            inviteBody(context, head)
        case .body(let buffer):
            bodyBytes += buffer.readableBytes
            // Nobody asks for the rest of a body after the answer.
            if isAnswered { return }
        case .end:
            isReadingRequest = false
            bodyTimer?.cancel()
            lingerTimer?.cancel()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head: isAnswering = true
        case .body: break
        case .end:
            isAnswering = false
            due -= 1
            // A request that is being read while another one is due is not the one that was answered.
            if isReadingRequest, due == 0 {
                isAnswered = true
                let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                lingerTimer = context.eventLoop.scheduleTask(in: limits.linger) {
                    bound.value.close(promise: nil)
                }
            }
        }
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that closes its side before it has the answer has left, as for other servers.
        if case .inputClosed? = event as? ChannelEvent, due > 0 {
            connection.close()
            context.close(promise: nil)
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Called when so much of the answer waits to be read that no more is written, and when some was read again.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readingTimer?.cancel()
        if !context.channel.isWritable { scheduleReadingCheck(context) }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        bodyTimer?.cancel()
        lingerTimer?.cancel()
        readingTimer?.cancel()
        connection.close()
    }

    private func inviteBody(_ context: ChannelHandlerContext, _ head: HTTPRequest) {
        guard let expectation = head.headerFields[.expect], expectation.lowercased() == "100-continue", due == 1,
            (head.headerFields[.contentLength].flatMap { Int($0) } ?? 0) <= limits.bodyBytes
        else { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }

    private func scheduleBodyCheck(_ context: ChannelHandlerContext, in time: TimeAmount) {
        bodyTimer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        bodyTimer = context.eventLoop.scheduleTask(in: time) {
            let (handler, context) = bound.value
            handler.checkBody(context)
        }
    }

    private func checkBody(_ context: ChannelHandlerContext) {
        let earned = TimeAmount.milliseconds(Int64(bodyBytes) * 1000 / Int64(limits.bodyBytesPerSecond))
        let end = bodyStart + limits.bodyTimeout + earned
        let now = NIODeadline.now()
        guard end <= now else { return scheduleBodyCheck(context, in: end - now) }
        guard !isAnswering, due == 1 else { return context.close(promise: nil) }
        let head = HTTPResponse(
            status: .requestTimeout, headerFields: [.connection: "close", .contentLength: "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }

    private func scheduleReadingCheck(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let waiting = Self.bytesToRead(context)
        readingTimer = context.eventLoop.scheduleTask(in: limits.bodyTimeout) { [limits] in
            let (handler, context) = bound.value
            let wanted = limits.bodyTimeout.nanoseconds / 1_000_000 * Int64(limits.bodyBytesPerSecond) / 1000
            guard Int64(waiting - Self.bytesToRead(context)) >= wanted else { return context.close(promise: nil) }
            handler.scheduleReadingCheck(context)
        }
    }

    /// Bytes of answers that the system has not taken yet.
    private static func bytesToRead(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}

@available(*, unavailable)
extension RequestGuard: Sendable {}
