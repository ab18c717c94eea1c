import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Synchronization

/// An HTTP/1 connection whose requests are handled on its event loop; see ``EventLoopExecutor``.
struct ConnectionChannel: ServerChildChannel {
    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(HTTPVersionHandler(), position: .before(codec))
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
            await http.handle(value: value, logger: logger)
        }
    }
}

/// The connection and the logger of a request.
struct ServerContext: InitializableFromSource {
    let channel: any Channel
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }

    /// The connection, which knows whether the client is still there.
    func connection() async throws -> ClientConnection {
        let channel = channel
        @Sendable func found() throws -> ClientConnection {
            try channel.pipeline.syncOperations.handler(type: RequestGuard.self).connection
        }
        return try await channel.eventLoop.inEventLoop ? found() : channel.eventLoop.submit(found).get()
    }
}

/// Tells the request that a connection carries when the client has left.
final class ClientConnection: Sendable {
    private struct State {
        var isClosed = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Calls `action` when the client leaves, at once if it has left; replaces an earlier action.
    func whenClosed(_ action: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            state.action = state.isClosed ? nil : action
            return state.isClosed
        }
        if isClosed { action() }
    }

    /// Forgets the action of a request that is over.
    func forget() { state.withLock { $0.action = nil } }

    func close() {
        let action = state.withLock { state in
            state.isClosed = true
            defer { state.action = nil }
            return state.action
        }
        action?()
    }
}

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
        /// Timeout of a body that brings nothing, and of a response of which nothing is read.
        var bodyTimeout: TimeAmount = .seconds(30)
        /// Bytes a second at which a body, or what is read of an answer, earns more time.
        var bodyBytesPerSecond = 16 << 10
        /// Time for which a client's bytes are read and dropped after an early response, so that it gets to read that.
        var linger: TimeAmount = .seconds(1)
        /// Above this a body is not invited.
        var bodyBytes: Int
    }

    let connection = ClientConnection()
    private let limits: Limits
    private var isReadingRequest = false
    private var isAnswering = false
    /// True if the request that is being read already has its response.
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

/// Answers requests of HTTP/1.0 as such: without chunks, which they do not know, and each on a connection of its own.
///
/// It stands before the types of HTTP in general, which have no version.
final class HTTPVersionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// For each request without a whole response: true if it is of HTTP/1.0.
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

/// Runs tasks on the event loop of a connection, so that what arrives there is handled without waking another thread.
///
/// Wakes cost more than the work between them: a request that is refused is a dozen steps of a few microseconds, and
/// while models keep all cores busy each wake takes one of them from a run. What takes longer than a moment goes to
/// threads of its own, as it would from Swift's cooperative pool.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // The closure keeps the executor, which the job does not.
        eventLoop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
