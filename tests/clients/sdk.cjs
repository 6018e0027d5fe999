// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the AWS SDK for JavaScript: a list of {kind, name, input} on standard input, one JSON line for each on standard output.
"use strict";

const sdk = require("@aws-sdk/client-elastic-beanstalk");

const client = new sdk.ElasticBeanstalkClient({});

const KINDS = {
  names: () => Object.keys(sdk).filter((each) => /^(paginate|waitUntil)[A-Z]|.Command$/.test(each)),
  call: ({ name, input }) => client.send(new sdk[`${name}Command`](input)),
  paginate: async ({ name, input, size }) => {
    const pages = [];
    for await (const page of sdk[name]({ client, pageSize: size }, input)) pages.push(page);
    return pages;
  },
  wait: ({ name, input }) => sdk[name]({ client, minDelay: 1, maxDelay: 2, maxWaitTime: 120 }, input),
};

async function main() {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  for (const request of JSON.parse(text)) {
    let answer;
    try {
      answer = { result: await KINDS[request.kind](request) };
    } catch (error) {
      answer = { error: `${error.name}: ${error.message}`, code: error.name };
    }
    console.log(JSON.stringify(answer));
  }
}

main();
