// A telephone: sees the QR code of an SVG on standard input with jsqr, reads
// the address in it and shows a code by otplib. Prints both as JSON.

'use strict';

const fs = require('fs');
const { default: jsQR } = require('jsqr');
const { generateSync, verifySync } = require('otplib');

const PIXELS = 4;                               // a module's edge


// The dark rectangles of the path become pixels.
function draw(svg) {
    const size = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)[1]);
    const edge = size * PIXELS;
    const image = new Uint8ClampedArray(edge * edge * 4).fill(255);
    const path = /<path d="([^"]*)"/.exec(svg)[1];

    for (const [, x, y, w] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
        for (let row = y * PIXELS; row < (+y + 1) * PIXELS; row++) {
            for (let at = x * PIXELS; at < (+x + +w) * PIXELS; at++) {
                image.fill(0, (row * edge + at) * 4, (row * edge + at) * 4 + 3);
            }
        }
    }

    return { image, edge };
}


const { image, edge } = draw(fs.readFileSync(0, 'utf8'));
const uri = jsQR(image, edge, edge).data;
const secret = new URL(uri).searchParams.get('secret');
const code = generateSync({ secret });

console.log(JSON.stringify({
    uri, code, valid: verifySync({ secret, token: code }).valid,
}));
