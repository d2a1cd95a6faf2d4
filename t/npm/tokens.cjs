// What the npm library jose makes of our tokens, and what it forges.  Reads
// {jwks, token, pem} from standard input, prints {claims, good, forged}.
'use strict';

const { createRequire } = require('node:module');
const fs = require('node:fs');
const jose = createRequire(`${process.argv[2]}/package.json`)('jose');

async function main() {
    const given = JSON.parse(fs.readFileSync(0, 'utf8'));
    const rules = { issuer: 'https://azora.test', audience: 'azora',
                    typ: 'at+jwt', algorithms: ['ES256'] };
    const { payload, protectedHeader } = await jose.jwtVerify(given.token,
        jose.createLocalJWKSet(given.jwks), rules);

    const jwk = given.jwks.keys[0];
    const kid = jwk.kid;
    const ours = await jose.importPKCS8(given.pem, 'ES256');
    const theirs = await jose.generateKeyPair('ES256', { extractable: true });
    const other = await jose.generateKeyPair('ES384');
    const rsa = await jose.generateKeyPair('RS256');
    const header = { alg: 'ES256', kid, typ: 'at+jwt' };

    const sign = (more = {}, claims = {}, key = ours) =>
        new jose.SignJWT({ ...payload, ...claims })
            .setProtectedHeader({ ...header, ...more }).sign(key);
    const hmac = (secret) => sign({ alg: 'HS256' }, {},
        typeof secret === 'string' ? new TextEncoder().encode(secret)
                                   : secret);

    const forged = {
        'alg none': new jose.UnsecuredJWT(payload).encode(),
        'HS256 with the JWK': await hmac(JSON.stringify(jwk)),
        'HS256 with x': await hmac(jose.base64url.decode(jwk.x)),
        'HS256 with the public PEM': await hmac(
            await jose.exportSPKI(await jose.importJWK(
                { ...jwk, ext: true }, 'ES256'))),
        'ES384 with our kid': await sign({ alg: 'ES384' }, {},
                                         other.privateKey),
        'RS256 with our kid': await sign({ alg: 'RS256' }, {},
                                         rsa.privateKey),
        'another key with our kid': await sign({}, {}, theirs.privateKey),
        'another key in the header': await sign(
            { jwk: await jose.exportJWK(theirs.publicKey) }, {},
            theirs.privateKey),
        'a jku': await sign({ jku: 'https://evil.example/jwks.json' }),
        'an x5u': await sign({ x5u: 'https://evil.example/cert.pem' }),
        'a kid with a path': await sign({ kid: '../../../dev/null' }),
        'no kid': await sign({ kid: undefined }),
        'typ JWT': await sign({ typ: 'JWT' }),
        'another audience': await sign({}, { aud: 'other' }),
        'another issuer': await sign({}, { iss: 'https://evil.example' }),
        'expired': await sign({}, { exp: payload.iat - 1 }),
        'not yet': await sign({}, { nbf: payload.exp }),
        'a string for exp': await jose_raw(jose, ours, header,
            { ...payload, exp: String(payload.exp) }),
        'a float for exp': await jose_raw(jose, ours, header,
            { ...payload, exp: payload.exp + 0.5 }),
    };

    process.stdout.write(JSON.stringify({
        header: protectedHeader, claims: payload, forged,
        good: await sign({}, { jti: 'made-by-jose' }),
        thumbprint: await jose.calculateJwkThumbprint(jwk),
    }));
}

// SignJWT looks at times itself; a plain signature does not
function jose_raw(library, key, header, claims) {
    return new library.CompactSign(
        new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader(header).sign(key);
}

main().catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
});
