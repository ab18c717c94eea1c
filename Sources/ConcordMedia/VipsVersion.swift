import CVips

extension Image {
    /// The version of libvips that decodes images, such as `8.14.1`.
    public static var libraryVersion: String { String(cString: vips_version_string()) }
}
