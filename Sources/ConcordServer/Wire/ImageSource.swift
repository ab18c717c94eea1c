/// Where a request's picture is.
enum ImageSource: Sendable {
    /// The encoded picture, whose beginning was looked at.
    case bytes([UInt8])
    /// At an HTTP address, which is fetched only where the server was told to.
    case address(String)
}
