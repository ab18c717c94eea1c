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
}
