import Tensors
import Testing

/// Digests of messages with byte `i` = `7i + ⌊i/251⌋` modulo 256, from Python's `hashlib.sha256`.
private let digests = [
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    55: "576a1bf8d4478657e6dc4af9398544765c2a92cde28478b019235cfed315fc09",
    56: "9b20501dfd1d99161c257950f3444f3e49230c351c5c8e0943ef369f85f5205d",
    57: "a5534a9d0694341dfde5b1bb3d8addcb38bd46f44a629dc97b3f8fb2721b0720",
    63: "30b345906b493f06f69444b6521113511c242f30e29840462950035043682f1e",
    64: "d8bc63b4fc1156e5e7d95a418b9bf54cd3174bedbc2db40f74895349b229b3c0",
    65: "1ee23b0fbcaecc1aff4a9e8f1645f35ab2c8e13609cd73b68df8b5e3f63ce073",
    119: "7a6589821178918ca8d9edaba5abfc1e9b2669564f4469b66885379c1530b2c8",
    120: "655250427d56b1b0eeb8497d21428704273458a01772d6881b65c0abac0f8a98",
    128: "54c9eb041badfd7064645067b107661fed6113197ce2dd066ba69618abd3732f",
    1000: "1d9d471927b6f0cbc77aed8969dfc6ef43ff35fdcdd8aa0032630c0063ff95a5",
    4097: "675301e8092030088fa914a0aecc8934a3dd312ed9e9b9e65b4cb2b3d2415ad3",
]

private func message(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 251) }
}

@Suite("SHA256")
struct SHA256Tests {
    @Test("digests agree with Python for lengths around the block size", arguments: digests)
    func knownDigest(count: Int, digest: String) {
        #expect(SHA256.hexDigest(of: message(count)) == digest)
    }

    @Test("digests agree with the test vectors of FIPS 180")
    func standardVectors() {
        #expect(
            SHA256.hexDigest(of: Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256.hexDigest(of: [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test("the digest does not depend on how the message is divided", arguments: UInt64(0)..<40)
    func pieces(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let bytes = message(4097)
        var digest = SHA256()
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 0...200, using: &random))
            if Bool.random(using: &random) {
                digest.update(Array(bytes[start..<end]))
            } else {
                digest.update(bytes[start..<end].span.bytes)
            }
            _ = digest.hexDigest
            start = end
        }
        #expect(digest.hexDigest == digests[4097])
    }
}
