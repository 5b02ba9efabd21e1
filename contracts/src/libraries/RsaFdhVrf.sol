// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What is wrong with a proof: the reasons of `protocol/tpm/vrf.ts`.
enum VrfJudgement {
    Accepted,
    UnusableKey,
    ProofMalformed,
    ProofWrong
}

/// @title RSA-FDH-VRF-SHA256
/// @notice RFC 9381 section 4 with the suite of section 4.4, RSA-2048 and e = 65537: Specification §3.9. The private half is one raw RSA
/// operation inside a TPM; this half is the modexp precompile (EIP-198), which every EVM chain has. Reverts where a precompile fails, so that
/// who gives too little gas gets no verdict instead of a refusal.
library RsaFdhVrf {
    error ProofRefused(VrfJudgement reason);
    error PrecompileFailed();

    uint256 internal constant BYTES = 256;

    bytes1 private constant SUITE = 0x01;
    bytes1 private constant FOR_ENCODING = 0x01;
    bytes1 private constant FOR_OUTPUT = 0x02;

    /// @param modulus 256 bytes, big-endian
    /// @param alpha the input
    /// @param proof 256 bytes: exactly one is valid for a key and an input
    /// @return judgement why the proof isn't accepted
    /// @return output the same for every verifier; zero unless accepted
    function judge(bytes calldata modulus, bytes memory alpha, bytes calldata proof)
        internal
        view
        returns (VrfJudgement judgement, bytes32 output)
    {
        if (!isUsable(modulus)) return (VrfJudgement.UnusableKey, 0);
        if (proof.length != BYTES || !_isBelow(proof, modulus)) return (VrfJudgement.ProofMalformed, 0);
        if (keccak256(_raised(proof, modulus)) != keccak256(_encodedMessage(modulus, alpha))) return (VrfJudgement.ProofWrong, 0);
        return (VrfJudgement.Accepted, sha256(abi.encodePacked(SUITE, FOR_OUTPUT, proof)));
    }

    /// @notice As `judge`; reverts with its reason where the proof isn't accepted.
    function requireGood(bytes calldata modulus, bytes memory alpha, bytes calldata proof) internal view returns (bytes32 output) {
        VrfJudgement judgement;
        (judgement, output) = judge(modulus, alpha, proof);
        if (judgement != VrfJudgement.Accepted) revert ProofRefused(judgement);
    }

    /// @notice An odd modulus of 2,048 bits.
    function isUsable(bytes calldata modulus) internal pure returns (bool) {
        return modulus.length == BYTES && uint8(modulus[0]) >= 0x80 && uint8(modulus[BYTES - 1]) & 1 == 1;
    }

    /// @dev proof^65537 mod modulus, 256 bytes.
    function _raised(bytes calldata proof, bytes calldata modulus) private view returns (bytes memory) {
        bytes memory input = abi.encodePacked(BYTES, uint256(3), BYTES, proof, bytes3(0x010001), modulus);
        (bool done, bytes memory power) = address(0x05).staticcall(input);
        if (!done || power.length != BYTES) revert PrecompileFailed();
        return power;
    }

    /// @dev Section 4.1 step 2 with MGF1 of RFC 8017 appendix B.2.1: a zero byte and 255 bytes of mask. In assembly, because eight copies of
    /// the seed would cost more than the hashes; only the last byte of the counter changes.
    function _encodedMessage(bytes calldata modulus, bytes memory alpha) private view returns (bytes memory message) {
        bytes memory seed = abi.encodePacked(SUITE, FOR_ENCODING, uint32(BYTES), modulus, alpha, uint32(0));
        message = new bytes(BYTES + 32);
        bool hashed = true;
        assembly ("memory-safe") {
            let length := mload(seed)
            for { let counter := 0 } lt(counter, 8) { counter := add(counter, 1) } {
                mstore8(add(add(seed, 31), length), counter)
                let mask := add(add(message, 33), shl(5, counter))
                hashed := and(hashed, staticcall(gas(), 2, add(seed, 32), length, mask, 32))
            }
            mstore(message, BYTES)
        }
        if (!hashed) revert PrecompileFailed();
    }

    /// @dev Big-endian numbers of one length, word by word.
    function _isBelow(bytes calldata left, bytes calldata right) private pure returns (bool) {
        for (uint256 position = 0; position < BYTES; position += 32) {
            bytes32 a = bytes32(left[position:position + 32]);
            bytes32 b = bytes32(right[position:position + 32]);
            if (a != b) return a < b;
        }
        return false;
    }
}
