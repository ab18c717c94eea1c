import ConcordCore

/// Takes the body of a good answer as it comes in.
protocol HTTPBody: AnyObject {
    /// Takes the next bytes. An error ends the transfer and comes out of the request.
    func receive(_ bytes: UnsafeRawBufferPointer, of response: HTTPResponse) throws(ConcordError)
}

/// A body that is kept in memory, up to a limit.
final class HTTPBytes: HTTPBody {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func receive(_ bytes: UnsafeRawBufferPointer, of response: HTTPResponse) throws(ConcordError) {
        guard response.isPlain else {
            throw ConcordError(.invalidDownload, "\(response.address.publicText) answers in a coding nobody asked for")
        }
        guard self.bytes.count + bytes.count <= limit else {
            throw ConcordError(
                .invalidDownload, "\(response.address.publicText) answers with more than the \(limit) bytes allowed")
        }
        self.bytes.append(contentsOf: bytes)
    }
}
