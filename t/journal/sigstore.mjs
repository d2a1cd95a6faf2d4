// Checks receipts with the library of Sigstore: what it does with the entry of
// a transparency log in a bundle, which is to verify the checkpoint's signature
// and the path from the entry to its root. What a bundle has besides (a
// signature over an artifact, which the entry repeats) receipts have not.
//
// Reads {vkey, receipts: [...]} and prints one line for each: included, or
// what is wrong.

import { createHash, createPublicKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.argv[2] + '/node_modules/');
const { VerificationError, toTrustMaterial } = require('@sigstore/verify');
const { verifyTLogInclusion } = require('@sigstore/verify/dist/tlog');

const { vkey, receipts } = JSON.parse(readFileSync(0, 'utf8'));

// name+hash+base64(algorithm, key), as C2SP's signed notes have it; the hash
// is the beginning of what Sigstore calls the log's id
const [, name, , encoded] = vkey.trim().match(/^([^+]+)\+([0-9a-f]+)\+(.*)$/);
const key = Buffer.from(encoded, 'base64');
const keyId = createHash('sha256').update(name + '\n').update(key).digest();
const der = Buffer.concat([
    Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);

const trust = toTrustMaterial({
    certificateAuthorities: [], timestampAuthorities: [], ctlogs: [],
    tlogs: [{
        baseUrl: 'https://' + name,
        checkpointKeyId: { keyId },
        logId: { keyId },
        publicKey: { rawBytes: der },
    }],
}, () => ({
    publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }),
    validFor: () => true,
}));

for (const receipt of receipts) {
    try {
        verifyTLogInclusion({
            logId: { keyId },
            logIndex: String(receipt.index),
            kindVersion: { kind: 'azora', version: '1' },
            integratedTime: '0',
            canonicalizedBody: Buffer.from(receipt.entry),
            inclusionProof: {
                logIndex: String(receipt.index),
                hashes: receipt.proof.map((h) => Buffer.from(h, 'base64')),
                checkpoint: { envelope: receipt.checkpoint },
            },
        }, trust.tlogs);
        console.log('included');
    } catch (error) {
        if (!(error instanceof VerificationError)) {
            throw error;
        }
        console.log(error.message);
    }
}
