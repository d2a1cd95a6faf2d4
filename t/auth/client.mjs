// A service that trusts our tokens, written with npm's openid-client and
// oauth4webapi: it finds us by discovery, asks about a token, and checks one
// by itself (RFC 9068).
//
//     node client.mjs NODE_MODULES ISSUER KEY TOKEN AUDIENCE
//
// prints what it learnt as JSON.

const [modules, issuer, key, token, audience] = process.argv.slice(2);
const client = await import(`${modules}/openid-client/build/index.js`);
const oauth = await import(`${modules}/oauth4webapi/build/index.js`);

// a service proves itself with its token
const bearer = (as, c, body, headers) =>
    headers.set('authorization', `Bearer ${key}`);

const config = await client.discovery(new URL(issuer), 'service', {}, bearer,
    { execute: [client.allowInsecureRequests] });
const server = config.serverMetadata();
const about = await client.tokenIntrospection(config, token);


async function check(sent, forWhom) {
    const request = new Request(`${issuer}/things`, {
        headers: { authorization: `Bearer ${sent}` } });

    try {
        const claims = await oauth.validateJwtAccessToken(server, request,
            forWhom, { [oauth.allowInsecureRequests]: true });
        return claims.sub;
    } catch (error) {
        return `refused: ${error.code ?? error.name}`;
    }
}


console.log(JSON.stringify({
    issuer: server.issuer,
    active: about.active,
    sub: about.sub,
    checked: await check(token, audience),
    elsewhere: await check(token, 'another'),
    forged: await check(token.slice(0, -4) + 'AAAA', audience),
}));
