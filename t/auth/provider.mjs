// An OpenID provider on loopback: npm's oidc-provider, which checks redirect
// URI, PKCE and client as a real one does, and logs in whom it is told to.
// ID tokens are signed again on their way out, so that they can be wrong.
//
//     node provider.mjs NODE_MODULES REDIRECT_URI [METHOD]
//
// METHOD is how clients prove themselves, client_secret_basic by default. It
// prints its port. GET /control?{json} changes what it does:
// {"sub", "email", "verified", "wrong": "nonce", "alg": "ES256", "rotate": 1}

import http from 'node:http';

const [modules, redirect, method = 'client_secret_basic'] =
    process.argv.slice(2);
const { default: Provider } =
    await import(`${modules}/oidc-provider/lib/index.js`);
const jose = await import(`${modules}/jose/dist/webapi/index.js`);

const SECRET = 'secret & more: ~';
const person = { sub: 'amina', email: 'amina@example.org', verified: true };
const state = { wrong: '', keys: [], active: null };


async function newKey(alg) {
    const pair = await jose.generateKeyPair(alg, { extractable: true });
    const kid = `${alg}-${state.keys.length}`;
    const jwk = { ...await jose.exportJWK(pair.publicKey), kid, alg,
                  use: 'sig' };

    state.active = { alg, kid, jwk, privateKey: pair.privateKey };
    state.keys = [{ kty: 'OKP', crv: 'Ed25519', kid: 'other', x: 'AA' }, jwk];
}


// The claims of a good token, made wrong, and signed as they are told to be.
async function resign(token) {
    const claims = jose.decodeJwt(token);
    const header = { alg: state.active.alg, kid: state.active.kid };
    const now = Math.floor(Date.now() / 1000);
    let key = state.active.privateKey;

    switch (state.wrong) {
    case 'nonce': claims.nonce = 'another'; break;
    case 'no nonce': delete claims.nonce; break;
    case 'iss': claims.iss = 'https://evil.example'; break;
    case 'aud': claims.aud = 'somebody'; break;
    case 'aud among others': claims.aud = [claims.aud, 'somebody']; break;
    case 'azp': claims.azp = 'somebody'; break;
    case 'exp': claims.exp = now - 120; break;
    case 'iat of the future': claims.iat = now + 600; break;
    case 'iat of long ago': claims.iat = now - 7200; break;
    case 'nbf': claims.nbf = now + 600; break;
    case 'no sub': delete claims.sub; break;
    case 'typ': header.typ = 'at+jwt'; break;
    case 'crit': header.crit = ['b64']; break;
    case 'unknown kid': header.kid = 'never seen'; break;
    case 'jwk in the header': header.jwk = state.active.jwk; break;
    case 'key': key = (await jose.generateKeyPair(header.alg)).privateKey;
        break;
    case 'alg none':
        header.alg = 'none';
        return [header, claims].map((part) =>
            Buffer.from(JSON.stringify(part)).toString('base64url'))
            .join('.') + '.';
    case 'HS256':
        header.alg = 'HS256';
        key = new TextEncoder().encode(SECRET.padEnd(32, '.'));
        break;
    case 'PS256': {
        header.alg = 'PS256';
        key = (await jose.generateKeyPair('PS256')).privateKey;
        break;
    }
    }

    if (header.crit) {
        header.b64 = true;
    }

    return new jose.SignJWT(claims).setProtectedHeader(header).sign(key);
}


function control(res, text) {
    const order = JSON.parse(decodeURIComponent(text));

    for (const name of ['sub', 'email', 'verified']) {
        if (name in order) person[name] = order[name];
    }

    state.wrong = order.wrong ?? '';
    (order.rotate ? newKey(order.alg ?? 'RS256') : Promise.resolve())
        .then(() => res.end('done'));
}


let provider;

const server = http.createServer(async (req, res) => {
    const [path, query] = req.url.split('?');

    if (path === '/control') return control(res, query);
    if (path === '/jwks') {
        res.setHeader('content-type', 'application/jwk-set+json');
        return res.end(JSON.stringify({ keys: state.keys }));
    }

    if (path.startsWith('/interaction/')) {
        return provider.interactionFinished(req, res,
            { login: { accountId: person.sub } });
    }

    if (path === '/token') {
        const end = res.end.bind(res);
        res.end = async (body) => {
            const answer = JSON.parse(body);
            if (answer.id_token) {
                answer.id_token = await resign(answer.id_token);
            }
            const text = JSON.stringify(answer);
            res.setHeader('content-length', Buffer.byteLength(text));
            end(text);
        };
    }

    return provider.callback()(req, res);
});


await newKey('RS256');

server.listen(0, '127.0.0.1', async () => {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const { privateKey } = await jose.generateKeyPair('RS256',
                                                      { extractable: true });
    const jwk = { ...await jose.exportJWK(privateKey), alg: 'RS256',
                  use: 'sig' };

    provider = new Provider(issuer, {
        clients: [{ client_id: 'azora', client_secret: SECRET,
                    redirect_uris: [redirect], response_types: ['code'],
                    grant_types: ['authorization_code'],
                    token_endpoint_auth_method: method }],
        clientAuthMethods: [method],
        jwks: { keys: [jwk] },
        cookies: { keys: ['only a test'] },
        features: { devInteractions: { enabled: false } },
        pkce: { required: () => true },
        claims: { openid: ['sub'], email: ['email', 'email_verified'],
                  profile: ['name'] },
        conformIdTokenClaims: false,
        interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
        findAccount: (ctx, id) => ({
            accountId: id,
            claims: () => ({ sub: id, email: person.email, name: 'Amina D.',
                             email_verified: person.verified }),
        }),
        loadExistingGrant: async (ctx) => {
            const grant = new ctx.oidc.provider.Grant({
                clientId: ctx.oidc.client.clientId,
                accountId: ctx.oidc.session.accountId });
            grant.addOIDCScope('openid email profile');
            await grant.save();
            return grant;
        },
    });

    console.log(server.address().port);
});
