import Kernels

extension Image {
    /// Takes over a grey image, one byte a pixel, by repeating it in all three channels.
    mutating func fillGrey(from grey: Bytes, height: Int, width: Int, level: (UInt8) -> UInt8 = { $0 }) {
        precondition(grey.count == height * width, "as many bytes as pixels")
        reshape(height: height, width: width)
        let pixels = bytes
        for pixel in 0..<grey.count {
            let value = level(grey[pixel])
            pixels[3 * pixel] = value
            pixels[3 * pixel + 1] = value
            pixels[3 * pixel + 2] = value
        }
    }

    /// Takes over an image stored as a red, a green and a blue plane.
    mutating func fill(fromPlanes planes: Bytes, height: Int, width: Int) {
        let plane = height * width
        precondition(planes.count == 3 * plane, "three planes")
        reshape(height: height, width: width)
        let pixels = bytes
        for pixel in 0..<plane {
            for channel in 0..<3 { pixels[3 * pixel + channel] = planes[channel * plane + pixel] }
        }
    }
}
