// A mail server that is not ours: npm's smtp-server on loopback, which wants
// TLS and a login, and notes what it took.
//
//     node smtp.mjs NODE_MODULES CERTIFICATE KEY NOTES PORT [secure]
//
// PORT 0 is any. It prints its port; NOTES gets a line of JSON for each mail.
// secure: TLS from the first byte, otherwise STARTTLS.

import fs from 'node:fs';
import { createRequire } from 'node:module';

const [modules, cert, key, notes, port, mode] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { SMTPServer } = require('smtp-server');

const server = new SMTPServer({
    secure: mode === 'secure',
    cert: fs.readFileSync(cert),
    key: fs.readFileSync(key),
    authMethods: ['PLAIN', 'LOGIN'],
    disableReverseLookup: true,

    onAuth(auth, session, done) {
        const good = session.secure && auth.username === 'azora'
                     && auth.password === 'a secret & more';

        done(good ? null : new Error('no such user'), { user: 'azora' });
    },

    onData(stream, session, done) {
        let text = '';

        stream.setEncoding('utf8');
        stream.on('data', (chunk) => { text += chunk; });
        stream.on('end', () => {
            fs.appendFileSync(notes, JSON.stringify({
                user: session.user,
                secure: session.secure,
                from: session.envelope.mailFrom.address,
                to: session.envelope.rcptTo.map((to) => to.address),
                text,
            }) + '\n');
            done();
        });
    },
});

server.on('error', () => { /* of a client that does not like us */ });
server.listen(Number(port), '127.0.0.1', () => {
    console.log(server.server.address().port);
});
