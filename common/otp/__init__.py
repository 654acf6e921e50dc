"""A small OTP on asyncio: gen_server, gen_event, gen_fsm, supervisor, registry, links and monitors."""
