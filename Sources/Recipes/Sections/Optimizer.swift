extension Recipe {
    /// The update rule with the numbers that it reads, and the weight decay.
    public struct Optimizer: RecipeSection {
        public enum Kind: String, CaseIterable, Decodable, Sendable {
            case adamw, adam, sgd, lamb, lion, lars
        }

        /// The form of LARS: MAE's norms the decayed gradient, timm's the raw one.
        public enum LARSForm: String, CaseIterable, Decodable, Sendable {
            case mae, timm
        }

        /// What each kind reads.
        public enum Rule: Sendable, Equatable {
            case adamW(betas: [Double], epsilon: Double)
            case adam(betas: [Double], epsilon: Double)
            case sgd(momentum: Double, dampening: Double, nesterov: Bool)
            case lamb(betas: [Double], epsilon: Double, correctsBias: Bool, alwaysAdapts: Bool)
            case lion(betas: [Double])
            case lars(momentum: Double, trust: Double, form: LARSForm)
        }

        public let kind: Kind
        public let rule: Rule
        public let weightDecay: Double
        public let weightDecayEnd: Double?
        public let layerDecay: Double?

        private enum CodingKeys: String, CodingKey {
            case kind, betas, epsilon, weightDecay, weightDecayEnd, layerDecay, momentum, dampening, nesterov
            case biasCorrection, alwaysAdapt, trust, form
        }

        public init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            func number(_ key: CodingKeys) throws -> Double { try keys.decode(Double.self, forKey: key) }
            func flag(_ key: CodingKeys) throws -> Bool { try keys.decode(Bool.self, forKey: key) }
            func betas() throws -> [Double] { try keys.decode([Double].self, forKey: .betas) }
            kind = try keys.decode(Kind.self, forKey: .kind)
            switch kind {
            case .adamw: rule = .adamW(betas: try betas(), epsilon: try number(.epsilon))
            case .adam: rule = .adam(betas: try betas(), epsilon: try number(.epsilon))
            case .sgd:
                rule = .sgd(
                    momentum: try number(.momentum), dampening: try number(.dampening), nesterov: try flag(.nesterov))
            case .lamb:
                rule = .lamb(
                    betas: try betas(), epsilon: try number(.epsilon), correctsBias: try flag(.biasCorrection),
                    alwaysAdapts: try flag(.alwaysAdapt))
            case .lion: rule = .lion(betas: try betas())
            case .lars:
                rule = .lars(
                    momentum: try number(.momentum), trust: try number(.trust),
                    form: try keys.decode(LARSForm.self, forKey: .form))
            }
            weightDecay = try number(.weightDecay)
            weightDecayEnd = try keys.decodeIfPresent(Double.self, forKey: .weightDecayEnd)
            layerDecay = try keys.decodeIfPresent(Double.self, forKey: .layerDecay)
        }

        public static let defaults = [
            "dampening": "0", "nesterov": "false", "bias_correction": "true", "always_adapt": "false",
        ]
        public static let meanings = [
            "kind": "The update rule.",
            "betas": "Decay of the first and second moment, 0 to below 1.",
            "epsilon": "Added to the root of the second moment.",
            "weight_decay": "Decoupled for adamw, lamb and lion; added to the gradient for adam, sgd and lars.",
            "weight_decay_end": "Weight decay of the last update, reached by a cosine; absent: it stays.",
            "layer_decay":
                "Factor on the rate from a layer to the one before it, above 0 to 1; absent: one rate for all.",
            "momentum": "Decay of the running gradient, 0 to below 1.",
            "dampening": "Share of a new gradient that the running one leaves out.",
            "nesterov": "Look one momentum step ahead.",
            "bias_correction": "Divide moments by 1 - beta^k.",
            "always_adapt": "Scale by the trust ratio also where there is no decay.",
            "trust": "Trust coefficient.",
            "form": "mae: norm of the decayed gradient; timm: norm of the raw one.",
        ]

        public func check(_ here: Here) {
            here.require(weightDecay >= 0, at: "weight_decay", "0 or more expected, found \(weightDecay)")
            if let weightDecayEnd {
                here.require(
                    weightDecayEnd >= 0, at: "weight_decay_end", "0 or more expected, found \(weightDecayEnd)")
            }
            if let layerDecay {
                here.require(
                    layerDecay > 0 && layerDecay <= 1, at: "layer_decay", "above 0 to 1 expected, found \(layerDecay)")
            }
            switch rule {
            case .adamW(let betas, let epsilon), .adam(let betas, let epsilon), .lamb(let betas, let epsilon, _, _):
                check(betas: betas, here)
                here.require(epsilon > 0, at: "epsilon", "more than 0 expected, found \(epsilon)")
            case .lion(let betas): check(betas: betas, here)
            case .sgd(let momentum, let dampening, let nesterov):
                check(momentum: momentum, here)
                here.require(
                    !nesterov || (momentum > 0 && dampening == 0), at: "nesterov", reading: ["momentum", "dampening"],
                    "Nesterov needs momentum and no dampening")
            case .lars(let momentum, let trust, _):
                check(momentum: momentum, here)
                here.require(trust > 0, at: "trust", "more than 0 expected, found \(trust)")
            }
        }

        private func check(betas: [Double], _ here: Here) {
            here.require(betas.count == 2, at: "betas", "2 numbers expected, found \(betas.count)")
            here.require(betas.allSatisfy { (0..<1).contains($0) }, at: "betas", "numbers from 0 to below 1 expected")
        }

        private func check(momentum: Double, _ here: Here) {
            here.require((0..<1).contains(momentum), at: "momentum", "0 to below 1 expected, found \(momentum)")
        }
    }
}
