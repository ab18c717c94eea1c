import Hummingbird
import Logging
import NIOCore

/// What the server knows of a request before it is read: its connection and its logger.
struct ServerContext: InitializableFromSource {
    let channel: any Channel
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }

    /// What knows whether the client is still there.
    func connection() async throws -> ClientConnection {
        let channel = channel
        @Sendable func found() throws -> ClientConnection {
            try channel.pipeline.syncOperations.handler(type: RequestGuard.self).connection
        }
        return try await channel.eventLoop.inEventLoop ? found() : channel.eventLoop.submit(found).get()
    }
}
