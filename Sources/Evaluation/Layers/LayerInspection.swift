import FoundationEssentials
import Kernels
import Messages
import Platform

/// Measurements of `lacuna inspect` on the layers of a saved step: `layers/step-NUMBER.json` of a run folder, with images
/// and a table beside it.
public struct LayerInspection: Codable, Equatable, Sendable {
    /// One layer, from 1.
    public struct Row: Codable, Equatable, Sendable {
        public var layer: Int
        public var rateMean: Double
        /// Nil for one image.
        public var rateStd: Double?
        public var zeroMean, zeroStd, nonzero: Double

        private enum CodingKeys: String, CodingKey {
            case layer, nonzero
            case rateMean = "rate_mean"
            case rateStd = "rate_std"
            case zeroMean = "zero_mean"
            case zeroStd = "zero_std"
        }

        /// All keys, also the one whose value may be null.
        public func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(layer, forKey: .layer)
            try values.encode(rateMean, forKey: .rateMean)
            try values.encode(rateStd, forKey: .rateStd)
            try values.encode(zeroMean, forKey: .zeroMean)
            try values.encode(zeroStd, forKey: .zeroStd)
            try values.encode(nonzero, forKey: .nonzero)
        }
    }

    public var checkpoint: String
    public var step: Int
    public var data: String
    public var images: Int
    /// Layers of the trained weights, and of those they were trained from.
    public var layers, start: [Row]
    /// Files with a table and images, inside the folder of this one.
    public var files: [String]

    public init(
        checkpoint: String, step: Int, data: String, trained: LayerMeasurements, start: LayerMeasurements
    ) {
        (self.checkpoint, self.step, self.data, images) = (checkpoint, step, data, trained.images)
        (layers, self.start, files) = (trained.rows, start.rows, [])
    }

    /// Where the inspections of a run lie.
    public static func folder(of run: String) -> String { run + "/layers" }

    /// Comma-separated, a line for each layer.
    public var table: String {
        let lines = layers.map { row in
            let std = row.rateStd.map { "\($0)" } ?? ""
            return "\(row.layer),\(row.rateMean),\(std),\(row.zeroMean),\(row.zeroStd),\(row.nonzero)\n"
        }
        return "layer,rate_mean,rate_std,zero_mean,zero_std,nonzero\n" + lines.joined()
    }

    /// One line, keys in alphabetical order.
    public func json() throws -> String {
        String(decoding: try JSON.encoded(self), as: UTF8.self) + "\n"
    }

    /// The newest one of a folder; nil where there is none.
    static func newest(in folder: String) throws -> LayerInspection? {
        let all = try Folder(folder).names().filter { $0.hasPrefix("step-") && $0.hasSuffix(".json") }.map { name in
            let bytes = try InputFile.contents(folder + "/" + name, limit: 1 << 20).array
            return try JSONDecoder().decode(LayerInspection.self, from: Data(bytes))
        }
        return all.max { $0.step < $1.step }
    }
}

extension LayerMeasurements {
    fileprivate var rows: [LayerInspection.Row] {
        layers.enumerated().map { index, layer in
            LayerInspection.Row(
                layer: index + 1, rateMean: layer.rateMean, rateStd: layer.rateStd,
                zeroMean: layer.zeroMean, zeroStd: layer.zeroStd, nonzero: layer.nonzero)
        }
    }
}
