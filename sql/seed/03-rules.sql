-- The enacted rules. Patterns are PCRE2. Each begins by stepping over what a
-- word like "no" or "never" turns round, to the end of its sentence (SKIP), so
-- that "we never ask for a deposit" is not taken for its opposite; the rest of
-- the pattern then has to begin at one of a few words, which is quick. Every
-- gap is bounded and stays within a sentence; what a gap may hold is defined
-- once and called, because a pattern has at most 64 kB when it is compiled.

\set not '(?:\\b(?:no(?! (?:experience|skills?|degrees?|diplomas?|interview|'
\set not :not 'cv|risks?|problems?|worries|boss|joke|scam)\\b)|not|never|none|'
\set not :not 'nobody|without(?! experience)|neither|nor|cannot|beware|refuse|'
\set not :not 'avoid)\\b|n[\'’]t\\b)'
\set skip '(?i)(?(DEFINE)(?<g>(?!' :not ')[^.!?;\\n]))'
\set skip :skip :not '[^.!?;\\n]*+(*SKIP)(*FAIL)|'
\set gap '(?&g)'

INSERT INTO court.rule AS r
    (id, article, state, effect, routes, pointers, pattern, reason, examples)
VALUES
('applicant-fees', 4, 'enacted', 'deny',
 '{"POST /v1/jobs","POST /v1/contracts"}', '{/title,/description}',
 :'skip' || '(?:'
 -- applicants must pay a deposit before ...
 || '\b(?:applicants?|candidates?|freelancers?|workers?|job ?seekers?|you)\b'
 || :'gap' || '{0,60}?\b(?:pay|pays|send|sends|transfer|transfers|deposit|'
 || 'provide|make|put down)\b' || :'gap' || '{0,60}?'
 || '\b(?:(?:(?:refundable|security|registration|application|processing|'
 || 'training|joining|administration|admin|interview|placement|upfront|'
 || 'up-front|commitment|visa|medical) (?:fee|deposit|bond)s?)|'
 || '(?:deposit|fee|bond)s?\b(?=' || :'gap' || '{0,60}?\b(?:before|first|'
 || 'to (?:apply|start|join|be (?:hired|considered|shortlisted))|upfront|'
 || 'in advance|with (?:the|your|their) application)\b))\b|'
 -- a deposit is required from applicants
 || '\b(?:fee|deposit|bond)s?\b' || :'gap' || '{0,30}?\b(?:is|are|will be|must'
 || ' be)\b' || :'gap' || '{0,30}?\b(?:required|needed|due|charged|collected|'
 || 'asked|payable|paid)\b' || :'gap' || '{0,30}?\b(?:from|of|by|for) '
 || '(?:all |each |every |any )?(?:applicants?|candidates?|freelancers?|'
 || 'workers?|you)\b|'
 -- pay 50 to apply, send 20 USD with your application
 || '\b(?:pay|transfer|(?:send|deposit)(?= (?:us |me )?(?:an? |the |your )?'
 || '(?:fee|deposit|bond|money|cash|\d)))\b' || :'gap' || '{0,80}?'
 || '\b(?:to apply|to '
 || 'be (?:considered|hired|shortlisted)|to (?:secure|reserve|get) (?:the|'
 || 'your|this) (?:job|place|position|interview|slot)|with your application|'
 || 'before (?:the|your) interview)\b|'
 -- registration fee: 20 for each applicant
 || '\b(?:application|registration|joining|placement|interview) fees?\b'
 || :'gap' || '{0,40}?\b(?:per|for (?:each|every|all)) (?:applicant|candidate)'
 || 's?\b)',
 'Applicants and workers are never asked for fees or deposits.',
 '{"match": ["Applicants must pay a refundable deposit of 20 AZR.",
             "Great pay. You send a deposit of 50 USD before the interview.",
             "A deposit is required from all applicants.",
             "Easy typing job\nPay 100 KES to apply",
             "Send 20 USD with your application and you start tomorrow",
             "Candidates transfer the registration fee to our agent",
             "No experience needed, you pay a deposit before the start.",
             "Registration fee: 10 USD per applicant"],
   "no_match": ["We never ask applicants to pay a deposit.",
                "You do not have to pay any registration fee before you start.",
                "Build a page where tenants see the deposit they paid.",
                "You will record deposits and fees in our books.",
                "Write an article about the history of banking fees",
                "Please send three examples with your application.",
                "You bring a camera; we pay the transport to your interview.",
                "Beware of people who ask you to pay a fee to apply."]}'),

('papers-kept', 5, 'enacted', 'deny',
 '{"POST /v1/jobs","POST /v1/contracts"}', '{/title,/description}',
 :'skip' || '(?:'
 || '\b(?:keep|keeps|retain|retains|hold|holds|take|takes|collect|collects)\b'
 || :'gap' || '{0,30}?\b(?:your|their|workers[''’]?|all|the original)\b'
 || :'gap' || '{0,20}?\b(?:passports?|identity cards?|ID cards?|national IDs?|'
 || 'certificates|originals?|travel documents?)\b|'
 || '\b(?:passports?|identity cards?|ID cards?|national IDs?|original '
 || '(?:certificates|documents|papers))\b' || :'gap' || '{0,40}?\b(?:will be|'
 || 'must be|is|are|to be)\b' || :'gap' || '{0,20}?\b(?:kept|retained|held|'
 || 'surrendered|handed (?:over|in)|deposited)\b|'
 || '\b(?:surrender|hand over|hand in|leave|deposit)\b' || :'gap'
 || '{0,20}?\b(?:your|their|the)\b' || :'gap' || '{0,20}?\b(?:passports?|'
 || 'identity cards?|ID cards?|national IDs?|originals|certificates)\b)',
 'Passports, identity cards and other originals may not be kept.',
 '{"match": ["We keep your passport until the contract ends.",
             "Passports will be held at the office for safety",
             "Hand over your original certificates on the first day.",
             "Original documents must be surrendered to the manager."],
   "no_match": ["Show your passport at the gate; we never keep it.",
                "Bring a copy of your identity card.",
                "Write a guide on how to renew a passport.",
                "Keep the filing room, scan certificates of origin."]}'),

('secrets-asked', 9, 'enacted', 'deny',
 '{"POST /v1/jobs","POST /v1/contracts","POST /v1/jobs/{id}/applications"}',
 '{/title,/description,/message}',
 :'skip' || '\b(?:send|share|give|tell|provide|text|enter|'
 || 'submit|email|need|want)\b' || :'gap' || '{0,20}?\byour\b' || :'gap'
 || '{0,30}?\b(?:PIN(?: code)?|password|passcode|one[- ]time (?:code|password)|'
 || 'OTP|CVV|card (?:number|details)|bank login|recovery (?:phrase|code))\b',
 'Nobody may ask for PINs, passwords, codes or card numbers.',
 '{"match": ["Send your mobile money PIN so that we can pay you.",
             "To verify you, share your one-time code with our agent",
             "We need your bank login and card details."],
   "no_match": ["Never share your PIN with anybody.",
                "Build a form where users reset a forgotten password.",
                "Teach elders why a bank does not need your PIN.",
                "Pin your portfolio to the application."]}'),

('nothing-faked', 16, 'enacted', 'deny',
 '{"POST /v1/jobs","POST /v1/contracts"}', '{/title,/description}',
 '(?i)(?:\b(?:no|not|never|without|against|detect\w*|spot\w*|'
 || 'prevent\w*|fight\w*|remov\w*|report\w*|identif\w*|moderat\w*|filter\w*|'
 || 'investigat\w*|research\w*|recogni[sz]\w*|stop\w*)\b|n[''’]t\b)'
 || '[^.!?;\n]*+(*SKIP)(*FAIL)|(?:'
 || '\b(?:fake|forged?|false|counterfeit|made-up|invented) (?:[\w-]+ ){0,2}?'
 || '(?:reviews?|ratings?|testimonials?|certificates?|diplomas?|degrees?|'
 || 'references?|payslips?|bank statements?|followers|likes)\b|'
 || '\b(?:take|sit|do|write) (?:my|the|an?|his|her) (?:online |final |school )?'
 || '(?:exam|test|assignment|thesis|quiz) (?:for me|in my name|on my behalf|as '
 || 'me)\b|'
 || '\b(?:review|rate|recommend)\b[^.!?;\n]{0,40}\b(?:you (?:have )?(?:never|'
 || 'not) (?:used|bought|tried)|as if you)\b)',
 'Nothing simulated may pass for real: no invented reviews, no forged papers.',
 '{"match": ["Write 50 fake five-star reviews for our hotel.",
             "Need a forged university diploma by Friday",
             "Take my final exam for me.",
             "Recommend our app as if you had used it for a year."],
   "no_match": ["Train a model to detect fake reviews.",
                "Review our translation of a school certificate.",
                "Write an honest review of three phones you own.",
                "Help me prepare for my final exam."]}'),

('paid-outside', 7, 'enacted', 'flag',
 '{"POST /v1/jobs","POST /v1/contracts","POST /v1/jobs/{id}/applications"}',
 '{/title,/description,/message}',
 :'skip' || '\b(?:pay|paid|payment|payments|settle|settled)\b'
 || :'gap' || '{0,40}?\b(?:outside (?:of )?(?:the |this )?(?:platform|site|app|'
 || 'escrow)|off[- ]platform|directly (?:by|via|through) (?:whatsapp|telegram|'
 || 'cash))\b',
 'Money that leaves escrow leaves its protection too.',
 '{"match": ["Payment outside the platform, we save the fee.",
             "You get paid directly via WhatsApp."],
   "no_match": ["We never pay outside the platform.",
                "Design a payment page for our platform.",
                "Contact us on WhatsApp with questions."]}'),

('equal-chances', 10, 'enacted', 'flag',
 '{"POST /v1/jobs"}', '{/title,/description}',
 '(?i)\b(?:(?:only|strictly) (?:men|women|males?|females?|boys|girls|'
 || 'christians|muslims)\b|(?:men|women|males?|females?|boys|girls) only\b|'
 || 'no (?:men|women|mothers|pregnant women|foreigners|'
 || 'disabled (?:people|persons))\b(?! (?:was|'
 || 'were|is|are) (?:harmed|hurt|excluded)))',
 'Work is open to everybody; a lawful condition names its law.',
 '{"match": ["Receptionist, females only.", "Strictly men, aged 20 to 30.",
             "No pregnant women please."],
   "no_match": ["Women are encouraged to apply, as is everybody else.",
                "Write about the first women in football.",
                "No woman was excluded from the study."]}'),

('work-for-children', 13, 'enacted', 'review',
 '{"POST /v1/jobs","POST /v1/contracts"}', '{/title,/description}',
 '(?i)(?:\b(?:no|not|never|against|end|stop|prevent\w*|'
 || 'report\w*|over|above|rescue\w*)\b|n[''’]t\b)'
 || '[^.!?;\n]*+(*SKIP)(*FAIL)|\b(?:'
 || '(?:child|kid|under-?age) (?:workers?|labou?r(?:ers)?|employees|staff|'
 || 'helpers?)|(?:children|kids|minors|pupils) '
 || '(?:can|may|could|are welcome to) (?:apply|work|earn)|'
 || '(?:hire|employ|recruit|need|want) (?:\w+ ){0,2}?'
 || '(?:children|kids|minors)(?= (?:to|for) (?:work|sell|carry|clean|harvest|'
 || 'pick|load|sew|do|help))|'
 || 'aged? (?:[5-9]|1[0-4])(?: |-)(?:to|and|-) ?(?:1[0-9])'
 || '\b[^.!?;\n]{0,40}\b(?:to work|workers?|helpers?))',
 'Nobody offers work to a child; a person will look at this.',
 '{"match": ["We hire kids to sell water at the station.",
             "Children can earn here after school.",
             "Looking for child workers for the harvest"],
   "no_match": ["Teach mathematics to children aged 8 to 12.",
                "Write a report against child labour.",
                "No children may work here; applicants are over 18.",
                "Design toys that kids want."]}')
ON CONFLICT ON CONSTRAINT rule_pkey DO UPDATE
SET article = excluded.article, state = excluded.state,
    effect = excluded.effect, routes = excluded.routes,
    pointers = excluded.pointers, pattern = excluded.pattern,
    reason = excluded.reason, examples = excluded.examples,
    changed_at = now();

-- Every worker compiles the rules anew.
SELECT azora.bump('constitution');
