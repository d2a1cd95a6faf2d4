// Checks messages with the library that receivers use. Reads
// {secret, messages: [{headers, body}]} and prints one line for each: ok or
// what is wrong.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.argv[2] + '/node_modules/');
const { Webhook } = require('standardwebhooks');

const { secret, messages } = JSON.parse(readFileSync(0, 'utf8'));
const webhook = new Webhook(secret);

for (const { headers, body } of messages) {
    try {
        const event = webhook.verify(body, headers);
        console.log('ok', event.id);
    } catch (error) {
        console.log(error.message);
    }
}
